"""The driver of a hyperparameter optimisation study for Keras image classifiers."""

__version__ = "0.1.0"
