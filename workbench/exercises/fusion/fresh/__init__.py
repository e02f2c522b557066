"""Fresh tasks of the same shape as the track's exercises, for who has needed the hints; each hangs on its original."""
