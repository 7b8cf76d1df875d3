"""Ethernet, PPP, known Wi-Fi networks and static addresses, on a simulated air and wire."""

import pytest

from tools import ROOT

RMII = {"mdc": 23, "mdio": 18}
SPI = {"sck": 12, "mosi": 13, "miso": 14, "cs": 10, "int": 11}
CABLE = {"ethernet": {"address": "192.168.1.60"}}
HOME = {"ssid": "Home", "password": "home secret"}
LAB = {"ssid": "Lab", "password": "lab secret"}


@pytest.fixture
def start(make_board):
    """start(air, known=(), **network) -> a board with these settings that serves."""

    def run(air=None, known=(), chip="", **network):
        network = {"wifi": list(known), **network}
        config = {"wifi": {"station_timeout": 2}, "network": network}
        return make_board(config=config, air=air or {}, chip=chip)

    return run


def served(board):
    """The address that the board serves at."""
    return board.wait_for_log(r"serving ws://([\d.]+):")[1]


@pytest.mark.needs(rmii=True)
@pytest.mark.parametrize(("phy", "pins"), [("LAN8720", RMII), ("W5500", SPI)])
def test_ethernet_gets_its_address_by_dhcp(start, phy, pins):
    board = start(CABLE, order=["ethernet"], ethernet_phy=phy, ethernet_pins=pins)
    assert served(board) == "192.168.1.60"
    assert f"network: starting Ethernet ({phy})" in board.log
    assert "access point" not in board.log


def test_a_boot_file_from_before_this_section_passes_it_on_as_well(make_board):
    text = (ROOT / "boot.py").read_text()
    old = text.replace(', net=settings.get("network"))', ")")
    assert old != text
    network = {"order": ["ethernet"], "ethernet_phy": "W5500", "ethernet_pins": SPI}
    board = make_board(config={"network": network}, air=CABLE, files={"boot.py": old})
    assert served(board) == "192.168.1.60"


def test_rmii_on_a_chip_without_a_controller_is_reported(start):
    board = start(
        CABLE, chip="s3", order=["ethernet", "ap"], ethernet_phy="LAN8720", ethernet_pins=RMII
    )
    assert served(board) == "192.168.4.1"
    assert "network: ethernet does not start: invalid phy type" in board.log


@pytest.mark.needs(rmii=True)
def test_a_static_address_replaces_dhcp(start):
    board = start(
        {"ethernet": {}},
        order=["ethernet"],
        ethernet_pins=RMII,
        address="10.1.2.3/16",
        gateway="10.1.0.1",
        dns="10.1.0.53",
    )
    assert served(board) == "10.1.2.3"
    code = "import network\nprint(network.LAN(phy_addr=1, phy_type=1).ifconfig())"
    assert board.exec(code) == "('10.1.2.3', '255.255.0.0', '10.1.0.1', '10.1.0.53')\n"


@pytest.mark.needs(rmii=True, wifi=True)
def test_the_next_network_is_used_if_one_has_no_address(start):
    order = ["ethernet", "station", "ap"]
    board = start(known=[{"ssid": "Gone"}], order=order, timeout=1, ethernet_pins=RMII)
    assert served(board) == "192.168.4.1"
    log = board.log
    steps = ("Ethernet has no address", "cannot join 'Gone': network not found", "access point")
    assert [log.index(step) for step in steps] == sorted(log.index(step) for step in steps)


@pytest.mark.needs(rmii=True)
def test_a_board_without_any_address_serves_when_the_cable_is_plugged_in(start):
    unplugged = {"ethernet": None}
    board = start(unplugged, order=["ethernet"], ethernet_pins=RMII, timeout=1)
    assert served(board) == "0.0.0.0"
    assert "network: no interface has an address: ethernet" in board.log
    board.wait_for_log("network: connection lost, reconnecting")
    board.air(**CABLE)
    board.wait_for_log("network: connected again")


@pytest.mark.needs(rmii=True)
def test_a_lost_cable_is_logged(start):
    board = start(CABLE, order=["ethernet"], ethernet_pins=RMII)
    served(board)
    board.air(ethernet=None)
    board.wait_for_log("network: connection lost, reconnecting")
    board.air(**CABLE)
    board.wait_for_log("network: connected again")


def test_ppp_connects_over_a_uart(start):
    board = start({"ppp": {"address": "10.64.64.2"}}, order=["ppp"], ppp_pins={"tx": 17, "rx": 16})
    assert served(board) == "10.64.64.2"
    assert "network: starting PPP on UART 1" in board.log


PEER = {"ppp": {"address": "10.64.64.2", "user": "board", "password": "right"}}


@pytest.mark.parametrize("login", ["pap", "chap"])
def test_ppp_sends_its_login(start, login):
    board = start(PEER, order=["ppp"], ppp_login=login, ppp_user="board", ppp_password="right")
    assert served(board) == "10.64.64.2"


@pytest.mark.needs(wifi=True)
def test_a_refused_login_of_ppp_falls_back(start):
    board = start(PEER, order=["ppp", "ap"], ppp_login="pap", ppp_user="board", timeout=1)
    assert served(board) == "192.168.4.1"
    assert "network: PPP has no address: the peer does not answer, or refuses" in board.log


def test_a_lost_ppp_connection_is_dialled_again(start):
    board = start({"ppp": {"address": "10.64.64.2"}}, order=["ppp"])
    served(board)
    board.air(ppp=None)
    board.wait_for_log("network: connection lost, reconnecting")
    board.air(ppp={"address": "10.64.64.2"})
    board.wait_for_log("network: connected again")


def joined(board):
    return board.wait_for_log(r"wifi: joined '(.*)' as")[1]


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize("present", [HOME, LAB])
def test_the_known_network_that_is_there_is_joined(start, present):
    air = {"networks": {present["ssid"]: {"password": present["password"]}}}
    assert joined(start(air, [HOME, LAB], order=["station", "ap"])) == present["ssid"]


@pytest.mark.needs(wifi=True)
def test_a_wrong_password_does_not_prevent_the_other_network(start):
    air = {"networks": {"Home": {"password": "changed!"}, "Lab": {"password": "lab secret"}}}
    assert joined(start(air, [HOME, LAB], order=["station"])) == "Lab"


@pytest.mark.needs(wifi=True)
def test_a_station_has_a_static_address(start):
    air = {"networks": {"Home": {"password": "home secret"}}}
    static = {"address": "192.168.1.77/24", "gateway": "192.168.1.1"}
    board = start(air, [HOME], order=["station"], **static)
    assert served(board) == "192.168.1.77"


@pytest.mark.needs(wifi=True)
def test_without_the_section_the_old_settings_work(make_board):
    wifi = {"mode": "station", "station_ssid": "Home", "station_password": "home secret"}
    air = {"networks": {"Home": {"password": "home secret"}}}
    assert served(make_board(config={"wifi": wifi}, air=air)) == "192.168.1.42"


@pytest.mark.needs(wifi=True)
@pytest.mark.parametrize(
    ("network", "problem"),
    [
        ({"order": ["wifi"]}, "network.order: must be a list of 'ethernet', 'ppp', 'station'"),
        ({"order": ["ap", "ap"]}, "network.order: must be a list"),
        ({"order": ["ethernet"]}, "network.ethernet_pins: LAN8720 needs mdc, mdio"),
        ({"order": ["station"]}, "network.wifi: required for 'station'"),
        ({"wifi": [{"name": "x"}]}, "network.wifi: must be a list of at most 8 networks"),
        ({"address": "192.168.1.5"}, "network.address: must be an address with the length"),
        ({"address": "192.168.1.5/33"}, "network.address: must be an address with the length"),
        ({"gateway": "here"}, "network.gateway: must be an address such as"),
        ({"ethernet_pins": {"mdc": 99}}, "network.ethernet_pins: must be an object with numbers"),
        ({"ppp_baud": 1}, "network.ppp_baud: must be a whole number from 1200 to 5000000"),
        ({"order": ["ppp"], "ppp_login": "pap"}, "network.ppp_user: required for ppp_login"),
        ({"speed": 1}, "network.speed: unknown field; known are address, dns"),
        ([], "network: must be an object"),
    ],
)
def test_invalid_settings_are_reported_and_the_board_starts(make_board, network, problem):
    board = make_board(config={"network": network})
    assert problem in board.log
    assert served(board) == "192.168.4.1"
