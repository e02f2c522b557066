"""What `make` calls: set-up, the learner's copy of the lessons, JupyterLab, checks, publishing, the classroom copy.

Nothing is imported here: `install` runs before any package is there, on whatever Python the newcomer has.
"""
