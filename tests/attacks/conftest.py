"""Attacks are data for `test_attacks`, not tests."""

collect_ignore_glob = ["*/*.py", "harness.py", "lesson.py", "checks.py", "many.py"]
