"""What a target is trusted to have kept."""

from gateway.export.progress import SETTLES_AFTER_S, Progress


def test_what_was_acknowledged_is_settled_once_the_target_still_answers_half_a_minute_later() -> None:
    progress = Progress(0)
    progress.acknowledged(5, now_s=0.0)
    assert progress.settled_to == 0

    progress.acknowledged(9, now_s=SETTLES_AFTER_S)

    assert (progress.settled_to, progress.sent_to) == (5, 9)


def test_a_target_that_says_nothing_more_settles_nothing() -> None:
    progress = Progress(0)
    progress.acknowledged(5, now_s=0.0)

    progress.step_back()  # however late

    assert progress.sent_to == 0


def test_a_target_that_was_away_gets_again_what_it_had_taken_just_before() -> None:
    progress = Progress(0)
    for row in range(1, 101):
        progress.acknowledged(row, now_s=float(row))

    progress.step_back()

    assert progress.sent_to == progress.settled_to == 100 - SETTLES_AFTER_S


def test_a_line_that_breaks_again_and_again_does_not_keep_the_cursor_from_moving() -> None:
    progress, now_s = Progress(0), 0.0
    for _ in range(100):
        progress.acknowledged(progress.sent_to + 1, now_s=now_s)
        progress.step_back()
        now_s += SETTLES_AFTER_S / 2

    assert progress.settled_to > 20
