"""What a check raises."""


class CheckFailed(Exception):
    """The site doesn't do what it should; the text says what."""
