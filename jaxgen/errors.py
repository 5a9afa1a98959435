"""Errors a user can act on. The command line prints the one sentence and exits with the class's code, no traceback."""


class UserError(ValueError):
    """Bad input: one sentence naming the field, the value and the remedy, raised before anything compiles."""

    exit_code = 2


class NonFiniteError(UserError):
    """A metric became NaN or infinite: names the step, the phase and the metric."""

    exit_code = 3
