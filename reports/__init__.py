"""Records -> numbers -> panels -> one page. Reads a stored study; imports neither Keras nor TensorFlow."""
