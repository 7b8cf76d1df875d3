"""The chip's network module: Wi-Fi as MicroPython's esp32 port shows it, over an "air" that tests
can change, and Ethernet and PPP.

The air is a JSON file that the host writes: {"networks": {"Home": {"password": "...", "reason":
0}}, "stations": ["24:6f:28:00:00:01"]} networks: what a station can join; `reason` is a status
code to fail with. stations: those that joined our access point. "ethernet": {"address": "..."}:
there is a cable, and a DHCP server with this address. "ppp": {"address": "...", "user": "...",
"password": "..."}: a peer.
"""

import binascii as _binascii
import json as _json

import utime as _utime

STA_IF = 0
AP_IF = 1

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
STAT_NO_AP_FOUND = 201
STAT_WRONG_PASSWORD = 202
STAT_BEACON_TIMEOUT = 200
STAT_ASSOC_FAIL = 203
STAT_HANDSHAKE_TIMEOUT = 204
STAT_NO_AP_FOUND_W_COMPATIBLE_SECURITY = 210
STAT_NO_AP_FOUND_IN_AUTHMODE_THRESHOLD = 211
STAT_NO_AP_FOUND_IN_RSSI_THRESHOLD = 212

AUTH_OPEN = 0
AUTH_WEP = 1
AUTH_WPA_PSK = 2
AUTH_WPA2_PSK = 3
AUTH_WPA_WPA2_PSK = 4
AUTH_WPA2_ENTERPRISE = 5
AUTH_WPA3_PSK = 6
AUTH_WPA2_WPA3_PSK = 7

MODE_11B = 1
MODE_11G = 2
MODE_11N = 4

_JOIN_MS = 150  # that joining a network takes here

PHY_LAN8710 = 0
PHY_LAN8720 = 1
PHY_IP101 = 2
PHY_RTL8201 = 3
PHY_DP83848 = 4
PHY_KSZ8041 = 5
PHY_KSZ8081 = 6
PHY_KSZ8851SNL = 100
PHY_DM9051 = 101
PHY_W5500 = 102

ETH_INITIALIZED = 0
ETH_STARTED = 1
ETH_STOPPED = 2
ETH_CONNECTED = 3
ETH_DISCONNECTED = 4
ETH_GOT_IP = 5

_FIRST_SPI_PHY = 100
_OF_WLAN = ("WLAN", "STA_IF", "AP_IF", "STAT_", "AUTH_", "MODE_")  # missing without Wi-Fi

_read_air = None
_rmii = True  # whether the chip has an Ethernet controller
_country = "XX"
_hostname = "mpy-esp32"
_interfaces = [None, None]


def _setup(read_air, wifi=True, rmii=True):
    """From the launcher: read_air() gives the air file's text. wifi, rmii: what the chip has."""
    global _read_air, _rmii
    _read_air = read_air
    _rmii = rmii
    if not wifi:
        for name in list(globals()):
            if name in _OF_WLAN[:3] or name.startswith(_OF_WLAN[3:]):
                del globals()[name]


def _air():
    try:
        return _json.loads(_read_air())
    except (OSError, ValueError):
        return {}


def country(code=None):
    global _country
    if code is None:
        return _country
    if len(code) != 2:
        raise ValueError
    _country = code


def hostname(name=None):
    global _hostname
    if name is None:
        return _hostname
    if not 0 < len(name) <= 32:
        raise ValueError
    _hostname = name


def _get_wlan(interface):
    if interface not in (STA_IF, AP_IF):
        raise ValueError("invalid WLAN interface identifier")
    if _interfaces[interface] is None:
        _interfaces[interface] = object.__new__(WLAN)
        _interfaces[interface]._reset(interface)
    return _interfaces[interface]


class WLAN:
    """One of the two Wi-Fi interfaces; there is one object for each."""

    IF_STA = STA_IF
    IF_AP = AP_IF
    SEC_OPEN = AUTH_OPEN
    SEC_WEP = AUTH_WEP
    SEC_WPA = AUTH_WPA_PSK
    SEC_WPA2 = AUTH_WPA2_PSK
    SEC_WPA_WPA2 = AUTH_WPA_WPA2_PSK
    SEC_WPA3 = AUTH_WPA3_PSK
    SEC_WPA2_WPA3 = AUTH_WPA2_WPA3_PSK
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __new__(cls, interface=STA_IF):
        return _get_wlan(interface)

    def __init__(self, interface=STA_IF):
        pass

    def _reset(self, interface):
        self._if = interface
        self._active = False
        self._config = {
            "ssid": "ESP_000001" if interface == AP_IF else "",
            "key": "",
            "security": AUTH_OPEN,
            "channel": 1,
            "hidden": False,
            "max_clients": 4,
            "mac": bytes((0x24, 0x6F, 0x28, 0, 0, interface)),
            "reconnects": -1,
            "txpower": 20,
            "pm": 1,
            "protocol": 7,
        }
        self._address = ["0.0.0.0", "0.0.0.0", "0.0.0.0", "0.0.0.0"]
        if interface == AP_IF:
            self._address = ["192.168.4.1", "255.255.255.0", "192.168.4.1", "0.0.0.0"]
        self._wanted = None  # (ssid, key) that a station was told to join
        self._since = 0
        self._up = False

    def _need_active(self):
        if not self._active:
            raise OSError("Wifi Not Started")

    def active(self, up=None):
        if up is not None:
            self._active = bool(up)
            if not up:
                self._wanted = None
                self._up = False
        return self._active

    def connect(self, ssid=None, key=None, *, bssid=None):
        if self._if != STA_IF:
            raise OSError("STA required")
        self._need_active()
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        if ssid is not None:
            self._config["ssid"] = ssid
            self._config["key"] = key or ""
        self._wanted = (self._config["ssid"], self._config["key"])
        self._since = _utime.ticks_ms()
        self._up = False

    def disconnect(self):
        self._need_active()
        self._wanted = None
        self._up = False

    def _reason(self):
        """Why the wanted network cannot be joined, 0 if it can."""
        ssid, key = self._wanted
        found = _air().get("networks", {}).get(ssid)
        if found is None:
            return STAT_NO_AP_FOUND
        if found.get("reason"):
            return found["reason"]
        return 0 if found.get("password", "") == key else STAT_WRONG_PASSWORD

    def isconnected(self):
        if self._if == AP_IF:
            return bool(self._active and _air().get("stations"))
        if self._wanted is None:
            return False
        if _utime.ticks_diff(_utime.ticks_ms(), self._since) >= _JOIN_MS:
            self._up = not self._reason()
            if self._up and self._address[0] == "0.0.0.0":
                self._address = ["192.168.1.42", "255.255.255.0", "192.168.1.1", "192.168.1.1"]
        return self._up

    def status(self, what=None):
        if what is None:
            return self._status()
        if what == "stations":
            if self._if != AP_IF:
                raise OSError("AP required")
            if not self._active:
                raise OSError("Wifi Invalid Mode")
            macs = _air().get("stations", [])
            return [
                (_binascii.unhexlify(mac.replace(":", "")), "192.168.4.%d" % (2 + index))
                for index, mac in enumerate(macs)
            ]
        if what == "rssi":
            if self._if != STA_IF:
                raise OSError("STA required")
            if not self.isconnected():
                raise OSError("Wifi Not Connected")
            return -55
        raise ValueError("unknown status param")

    def _status(self):
        if self._if == AP_IF:
            return None
        if self.isconnected():
            return STAT_GOT_IP
        if self._wanted is None:
            return STAT_IDLE
        tries = _utime.ticks_diff(_utime.ticks_ms(), self._since) // _JOIN_MS
        # The driver goes on trying, and says so, for ever or as often as it was told to.
        if self._config["reconnects"] < 0 or tries <= self._config["reconnects"]:
            return STAT_CONNECTING
        return self._reason()

    def config(self, *args, **kwargs):
        if kwargs:
            if args:
                raise TypeError("either pos or kw args are allowed")
            return self._set(kwargs)
        if len(args) != 1:
            raise TypeError("can query only one param")
        name = self._name(args[0])
        if name in ("dhcp_hostname", "hostname"):
            return _hostname
        if name == "mac":
            return self._config["mac"]
        if name in ("ssid", "hidden", "security", "channel", "max_clients") and not self._active:
            raise OSError("Wifi Invalid Mode")
        if name == "key" or name not in self._config:
            raise ValueError("unknown config param")
        return self._config[name]

    @staticmethod
    def _name(name):
        return {"essid": "ssid", "authmode": "security", "password": "key"}.get(name, name)

    def _set(self, values):
        if not self._active:
            raise OSError("Wifi Invalid Mode")
        new = dict(self._config)
        for name, value in values.items():
            name = self._name(name)
            if name in ("dhcp_hostname", "hostname"):
                hostname(value)
            elif name not in new:
                raise ValueError("unknown config param")
            elif self._if == STA_IF and name in ("hidden", "security", "key", "max_clients"):
                raise OSError("AP required")
            elif self._if == AP_IF and name == "reconnects":
                raise OSError("STA required")
            else:
                new[name] = value
        if self._if == AP_IF:
            if not 0 < len(new["ssid"].encode()) <= 32:
                raise OSError("Wifi SSID Invalid")
            if new["security"] != AUTH_OPEN and not 8 <= len(new["key"].encode()) <= 63:
                raise OSError("Wifi Invalid Password")
            if not 1 <= new["channel"] <= 14 or not 0 < new["max_clients"] <= 10:
                raise OSError("Wifi Internal Error")
        self._config = new

    def ifconfig(self, addresses=None):
        if addresses is None:
            return tuple(self._address)
        if len(addresses) != 4:
            raise ValueError("requested length 4 but object has length %d" % len(addresses))
        self._address = list(addresses)

    def ipconfig(self, *args, **kwargs):
        if args:
            if args[0] == "addr4":
                return tuple(self._address[:2])
            if args[0] == "gw4":
                return self._address[2]
            if args[0] == "dhcp4":
                return self._if == STA_IF
            raise ValueError("unexpected key '%s'" % args[0])
        for name, value in kwargs.items():
            if name == "addr4":
                address, _, bits = (
                    value if isinstance(value, str) else "/".join(value)
                ).partition("/")
                self._address[0] = address
                self._address[1] = "255.255.255.0" if bits in ("", "24") else bits
            elif name == "gw4":
                self._address[2] = value
            elif name != "dhcp4":
                raise ValueError("unexpected key '%s'" % name)

    def scan(self):
        if self._if != STA_IF or not self._active:
            raise OSError("STA must be active")
        return [
            (ssid.encode(), b"\x02\0\0\0\0\1", 6, -55, AUTH_WPA2_PSK, False)
            for ssid in _air().get("networks", {})
        ]


class LAN:
    """Ethernet; there is one object."""

    _object = None

    def __new__(cls, id=None, **options):
        if LAN._object is None:
            LAN._object = object.__new__(LAN)
            LAN._object._reset(id, **options)
        return LAN._object

    def __init__(self, id=None, *, phy_type=0, phy_addr=0, ref_clk_mode=0, **pins):
        pass

    def _reset(self, id, phy_type=None, phy_addr=None, **pins):
        if phy_type is None or phy_addr is None:
            raise TypeError("'phy_addr' argument required")
        if id not in (None, 0):
            raise ValueError("invalid LAN interface identifier")
        if not 0 <= phy_addr <= 31:
            raise ValueError("invalid phy address")
        spi = phy_type >= _FIRST_SPI_PHY
        if not 0 <= phy_type <= 6 and phy_type not in (100, 101, 102) or not spi and not _rmii:
            raise ValueError("invalid phy type")
        if spi and not {"spi", "cs", "int"} <= set(pins):
            raise ValueError("spi, cs and int must be specified")
        if not spi and not {"mdc", "mdio"} <= set(pins):
            raise ValueError("mdc and mdio must be specified")
        self._active = False
        self._address = None  # a static one
        self._since = 0

    def _lease(self):
        """Return the addresses, as ifconfig() gives them, or None."""
        air = _air().get("ethernet")
        waited = _utime.ticks_diff(_utime.ticks_ms(), self._since)
        if not self._active or air is None or waited < _JOIN_MS:
            return None
        if self._address or not air.get("address"):
            return self._address
        return air["address"], "255.255.255.0", "192.168.1.1", "192.168.1.1"

    def active(self, up=None):
        if up is not None:
            self._active = bool(up)
            self._since = _utime.ticks_ms()
        return self._active

    def isconnected(self):
        return self._lease() is not None

    def status(self):
        if not self._active:
            return ETH_INITIALIZED
        if self._lease():
            return ETH_GOT_IP
        return ETH_STARTED if _air().get("ethernet") is None else ETH_CONNECTED

    def config(self, name):
        if name != "mac":
            raise ValueError("unknown config param")
        return bytes((0x24, 0x6F, 0x28, 0, 0, 3))

    def ifconfig(self, addresses=None):
        if addresses is None:
            return self._lease() or ("0.0.0.0",) * 4
        if len(addresses) != 4:
            raise ValueError("requested length 4 but object has length %d" % len(addresses))
        self._address = tuple(addresses)


class PPP:
    """A connection over a UART."""

    SEC_NONE = 0
    SEC_PAP = 1
    SEC_CHAP = 2

    def __init__(self, stream):
        stream.irq  # noqa: B018 - as on the chip, AttributeError if it is no UART
        self._since = None
        self._login = None

    def connect(self, security=SEC_NONE, user=None, key=None):
        if self._since is not None and self.isconnected():
            raise OSError(120)  # EALREADY
        if security not in (0, 1, 2):
            raise ValueError("invalid auth")
        self._login = (user, key) if security else None
        self._since = _utime.ticks_ms()

    def disconnect(self):
        self._since = None

    def isconnected(self):
        peer = _air().get("ppp")
        if self._since is None or not peer:
            return False
        wanted = (peer["user"], peer["password"]) if "user" in peer else None
        waited = _utime.ticks_diff(_utime.ticks_ms(), self._since)
        return self._login == wanted and waited >= _JOIN_MS

    def status(self):
        return 5 if self.isconnected() else 4

    def poll(self):
        return 0

    def ifconfig(self, addresses=None):
        if not self.isconnected():
            return ("0.0.0.0",) * 4
        return _air()["ppp"]["address"], "255.255.255.255", "10.64.64.64", "10.64.64.64"


_dns = "0.0.0.0"


def ipconfig(*args, **kwargs):
    global _dns
    if kwargs:
        _dns = kwargs.get("dns", _dns)
        return None
    if args:
        if args[0] == "dns":
            return _dns
        if args[0] == "prefer":
            return 4
        raise ValueError("unexpected key '%s'" % args[0])


def phy_mode(mode=None):
    if mode is None:
        return MODE_11B | MODE_11G | MODE_11N
