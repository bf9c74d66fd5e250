"""Which errors are answers: those that were written for people, by the rule that ours all are."""

from typing import Final

OURS: Final = frozenset({"devices", "broker", "services", "gateway"})


def refusal(error: BaseException) -> str | None:
    """The sentence to show for an error; None when it is a mistake of ours that needs its traceback.

    Our own error classes say what is wrong and what would be right. A file that cannot be reached is
    the operator's to mend. Everything else should not have come this far.
    """
    match error:
        case BaseExceptionGroup():
            sentences = [refusal(part) for part in error.exceptions]
            known = [sentence for sentence in sentences if sentence is not None]
            return "; ".join(dict.fromkeys(known)) if len(known) == len(sentences) else None
        case _ if type(error).__module__.partition(".")[0] in OURS:
            return str(error)
        case OSError(filename=str(name), strerror=str(problem)):
            return f"Cannot use {name}: {problem}; mend that, or name another"
        case _:
            return None
