"""Bad input is refused by the name of the argument, before anything is allocated or launched."""

import pytest
from cases.collected import REFUSED


@pytest.mark.parametrize("reason", REFUSED)
def test_refused_by_name(reason):
    error, call, message = REFUSED[reason]
    with pytest.raises(error, match=message):
        call()
