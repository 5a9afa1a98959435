"""Which way a figure is better, by the words that the field names figures by."""

_MARKS = {  # of a name with several of these words, the first here decides
    "random": "",  # of what is not the model's
    "kl_nats": "",  # a part of a bound, whose parts go either way
    "rate": "",
    "log_likelihood": "↑",
    "negative": "↓",
    "elbo": "↑",
    "critic_accuracy": "→ 0.5",  # neither player wins
    "data_copying": "→ 0.5",  # as new examples are; towards 0 there are copies
    "two_sample": "→ 0.5",  # as of one distribution; towards 0 there are copies
    "accuracy": "↑",
    "inception_score": "↑",
    "purity": "↑",
    "precision": "↑",
    "recall": "↑",
    "density": "↑",
    "coverage": "↑",
    "information": "↑",
    "reward": "↑",
    "codes": "↑",
    "classes": "↑",
    "modes": "↑",
    "high_quality": "↑",
    "bits": "↓",
    "nats": "↓",
    "frechet_distance": "↓",
    "kernel_distance": "↓",
    "class_kl": "↓",
    "error": "↓",
    "distortion": "↓",
    "reconstruction": "↓",
    "cycle": "↓",
    "l1": "↓",
}


def better(name: str) -> str:
    """An arrow up or down, or the value that is best; empty where a name does not tell, or neither way is better."""
    words = f"_{name}_"
    return next((mark for word, mark in _MARKS.items() if f"_{word}_" in words), "")


def titled(name: str) -> str:
    """The name and its mark."""
    return " ".join(filter(None, (name, better(name))))
