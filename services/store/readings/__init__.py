"""Readings at city speed, in a database file of their own.

    commit ──> journal row ──flush──> segment of sorted pages ──merge──> one segment a day
                   └──every 10 s──> last_values

A row for each value would dirty a page for each value: 50,000 a second is more than a disk can sync. So a
commit is one row, whatever it holds, and what is read often is sorted later, beside the intake: pages of
2,000 values, by series and time. A month of one series is some thirty pages.
"""
