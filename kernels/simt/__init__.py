"""The simulated GPU. So far its front end: the types of a kernel (`typed.py`); what runs them comes next."""
