"""jaxgen: deep generative models as pure-function losses on one small engine."""

__version__ = "0.1.0"
