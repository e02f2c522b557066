"""A fabric to look at: as text (`tree.py`) and as a picture (`picture.py`), both of what `survey.py` finds."""
