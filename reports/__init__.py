"""Records -> numbers -> panels -> one page. Reads a study's storage; imports neither Keras nor TensorFlow."""
