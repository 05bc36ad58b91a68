"""The site that the faults hit. What each of its processes did is in diaries, which outlive it."""
