"""
Some of the tests of other files once more, through TLS: WSP_TLS=1 does that for all of them. Here
the daemons are others, the tests the same.
"""

import pytest

from harness.daemons import Farm
from test_transfer import (  # noqa: F401
    test_2_bytes_then_close_100_times,
    test_both_directions_at_once,
    test_client_that_closes_right_behind_its_last_byte,
    wspc,
)
from test_ws_wrap import (  # noqa: F401
    banner,
    dead_port,
    rig,
    script,
    test_bad_input,
    test_echo,
    test_frames_glued_to_the_request,
    test_service_closes,
    test_service_resets,
    test_two_at_once,
    test_visitor_closes,
    test_visitor_vanishes,
    test_websockets_sees_a_clean_end,
    visit,
)
from test_wsp1_ends import (  # noqa: F401
    ends,
    order,
    tcp_ends,
    test_both_end_in_mid_transfer,
    test_half_close,
    test_reset_behind_an_end_is_noticed,
    test_reset_in_mid_transfer,
    way,
    world,
)


@pytest.fixture(scope="module")
def shared_farm(tmp_path_factory):
    farm = Farm(tmp_path_factory.mktemp("secure"), secure=True)
    yield farm
    farm.close()


@pytest.fixture
def farm(tmp_path):
    farm = Farm(tmp_path, secure=True)
    yield farm
    farm.close()
