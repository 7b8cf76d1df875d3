# Shortcuts for `python -m tools COMMAND`, which do the set-up first. `make` alone lists them.

HTTP_PORT ?= 8080
HTTPS_PORT ?= 8443
HEAP =
WORD =
MICROPYTHON =
CONFIG ?=
BOARD ?=
ROUNDS ?= 5
JSON ?=
ONLY ?=
PORT ?=
CHIP ?=
FIRMWARE ?=
MINUTES ?= 5
HOURS ?= 1
FLASH ?=
FIND ?=
JOBS ?= 10
BASE =
VERSION =
ARGS ?=
BOARDS ?= 5
ENGINE ?=
GATEWAY_PORT ?= 8000
# Not from the environment: other programs use such names.
KEY = ec
NAMES =
CLIENT =
HOST =
MAIN =
APP =
CERTS =
SOURCE =
BYTECODE =
YES =
IMAGE =
ROMFS =

# A misspelt variable would be ignored without a word.
VARIABLES := HTTP_PORT HTTPS_PORT HEAP WORD MICROPYTHON CONFIG BOARD ROUNDS JSON ONLY PORT CHIP FIRMWARE MINUTES HOURS \
	FLASH FIND JOBS BASE VERSION ARGS BOARDS ENGINE GATEWAY_PORT KEY NAMES CLIENT HOST MAIN APP CERTS SOURCE BYTECODE \
	YES IMAGE ROMFS PYTHON VENV ADMIN_PASSWORD SHELL
UNKNOWN := $(foreach name,$(filter-out $(VARIABLES),$(.VARIABLES)),$(if $(findstring command,$(origin $(name))),$(name)))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable $(strip $(UNKNOWN)). `make` lists those of each target. Known are $(sort $(VARIABLES)))
endif

# The virtual board's interpreter, for every tool: 32 or 64 bits, or any that was built elsewhere.
export MICROPYTHON
export MICROPYTHON_WORD = $(WORD)

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
TOOLS := @exec $(BIN)/python -m tools
# With compiled files, which each of the hundreds of processes would otherwise make anew.
TESTS := @exec env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
# $(call opt,PORT,port): --port "$(PORT)", or nothing. $(call flag,YES,yes): --yes, or nothing.
opt = $(if $($1),--$2 "$($1)")
flag = $(if $($1),--$2)
ON = $(call opt,PORT,port)
CONTENT = $(call opt,APP,app) $(call opt,CONFIG,config) $(call flag,CERTS,certs) $(call flag,SOURCE,source)

COMMANDS := build site romfs release run new certs boards flash image config deploy join monitor repl reset backup erase test conformance faults fuzz mutate soak \
	compare docs package screenshots bench bench-check bench-memory bench-startup lint format fleet bench-fleet
.DEFAULT_GOAL := help
.PHONY: help setup clean $(COMMANDS)
$(COMMANDS): $(READY)

help:
	@sed -n 's/^#: //p' $(firstword $(MAKEFILE_LIST))

#: make run          start a virtual board and print its URLs and its serial output; Ctrl-C ends it
#:                     HTTP_PORT=8080 HTTPS_PORT=8443 HEAP=192k CONFIG=my.json
#:                     CHIP=c2 has the limits and names of an ESP32-C2 (docs/virtual-board.md);
#:                     WORD=32 uses a 32-bit MicroPython with the memory of a chip (HEAP=chip);
#:                     MICROPYTHON=/path uses another interpreter (docs/virtual-board.md)
#:                     APP=my_app.py, or a folder, runs an application instead of the demo;
#:                     IMAGE=build/image/esp32.bin runs from the littlefs in that image
run: certs/server.crt.der
	$(TOOLS) run --certs certs $(call opt,HEAP,heap) --http-port $(HTTP_PORT) --https-port $(HTTPS_PORT) $(call opt,CONFIG,config) $(call opt,APP,app) $(call opt,MAIN,main) $(call opt,IMAGE,image) $(call opt,CHIP,chip) $(ARGS)
certs/server.crt.der: | $(READY)
	$(TOOLS) certs
#: make new          write the template of an application: APP=my_app.py (docs/applications.md)
new: ; $(TOOLS) new "$(APP)"
#: make certs        make a certificate authority and the board's certificate, for wss:// (docs/tls.md)
#:                     KEY=rsa NAMES='board.lan 10.0.0.7'; CLIENT=tom makes a client's certificate
certs: ; $(TOOLS) certs --key "$(KEY)" --names "$(NAMES)" --client "$(CLIENT)" $(call opt,CONFIG,config)
#: make fleet        start an MQTT engine, a gateway and virtual boards; Ctrl-C ends all (docs/fleet.md)
#:                     BOARDS=5 GATEWAY_PORT=8000 ENGINE=nats-server or mosquitto
fleet: ; $(TOOLS) fleet --boards $(BOARDS) --port $(GATEWAY_PORT) $(call opt,ENGINE,engine)
#: make boards       list connected boards: chip, flash, MAC, MicroPython; PORT=... for one of them
boards: ; $(TOOLS) boards $(ON)
#: make flash        erase a chip and write MicroPython: PORT=/dev/ttyUSB0 CHIP=esp32 FIRMWARE=file.bin,
#:                     each only if there is a choice; PORT may be a device, COM3 or a pyserial URL;
#:                     IMAGE=1 writes the firmware's files as well, with APP=, CONFIG=, CERTS=1
flash: ; $(TOOLS) flash $(ON) $(call opt,CHIP,chip) $(call opt,FIRMWARE,firmware) $(call flag,IMAGE,image) $(CONTENT) $(ARGS)
#: make image        make one file for a chip, with MicroPython and all files: CHIP=esp32 FIRMWARE=file.bin
#:                     APP=app.py CONFIG=config.json CERTS=1 FLASH=8 (MB); build/image/CHIP.bin
image: ; $(TOOLS) image --chip "$(CHIP)" $(call opt,FIRMWARE,firmware) $(CONTENT) $(call opt,FLASH,flash-size) $(ARGS)
#: make config       ask for the Wi-Fi's name and password and write config.json
config: ; $(TOOLS) config
#: make deploy       copy changed files to a board and start it: PORT=... SOURCE=1 for .py files;
#:                     CONFIG=config.json and CERTS=1 replace those on the board; over Wi-Fi (OTA
#:                     update): HOST=192.168.4.1, which asks for the admin password (docs/install.md)
#:                     APP=my_app.py, or a folder, installs an application; APP=demo removes it
deploy: ; $(TOOLS) deploy $(ON) $(call opt,APP,app) $(call opt,HOST,host) $(call opt,CONFIG,config) $(call flag,CERTS,certs) $(call flag,SOURCE,source) $(ARGS)
#: make join         restart a board and show how to join its Wi-Fi, open its page and change its
#:                     settings: QR codes for a phone, and the admin password; PORT=...
join: ; $(TOOLS) join $(ON)
#: make monitor      print a board's output, and the source of each traceback line; Ctrl-C ends it;
#:                     APP=my_app.py also shows the lines of an application
monitor: ; $(TOOLS) monitor $(ON) $(call opt,APP,app)
#: make repl         open a board's prompt; Ctrl-X leaves it
repl: ; $(TOOLS) repl $(ON)
#: make reset        restart a board
reset: ; $(TOOLS) reset $(ON)
#: make backup       copy all files of a board into backup/
backup: ; $(TOOLS) backup $(ON)
#: make erase        erase a board's whole flash; YES=1 does not ask
erase: ; $(TOOLS) erase $(ON) $(call flag,YES,yes)
#: make test         run the test suite against virtual boards
#:                     BOARD=192.168.4.1 against a real one; ARGS='-k handshake' for pytest;
#:                     SOURCE=1 with lib/ as .py, BYTECODE=1 as .mpy without native code;
#:                     WORD=32 on a 32-bit virtual board, MICROPYTHON=/path on that interpreter;
#:                     CHIP=c2 with the limits and names of an ESP32-C2 (docs/virtual-board.md);
#:                     JOBS=10 test files at the same time, 0 for one after the other
# With CHIP=, and no other choice: the tests that say most about a chip.
CHIP_TESTS = tests/startup tests/wifi tests/config tests/demo/test_echo.py \
	$(addprefix tests/wsserver/test_,messages.py closing.py requests.py sending.py http_requests.py ipv6.py)
test:
	@case "$(JOBS)" in auto) ;; ""|*[!0-9]*) \
		echo "test: JOBS=$(JOBS) is no number of test files to run at the same time: JOBS=10" >&2; exit 2 ;; esac
	$(TESTS) $(if $(BOARD),--board "$(BOARD)",-n $(JOBS) --dist loadfile --no-loadscope-reorder) $(if $(SOURCE),--lib source) $(if $(BYTECODE),--lib bytecode) $(call opt,WORD,word) $(call opt,CHIP,chip) $(if $(CHIP),$(or $(ARGS),$(CHIP_TESTS)),$(ARGS))
#: make conformance  run the Autobahn test suite's large messages (group 9), which take longer
conformance: ; $(TESTS) -m conformance $(call opt,BOARD,board) $(ARGS)
#: make faults       run the long tests: power cuts, slow, dead and hostile clients (half an hour)
faults: ; $(TESTS) -m faults $(ARGS)
#: make fuzz         send random and mutated input to the core and to live boards: MINUTES=5
#:                     FIND=build/fuzz/... adds an input that failed to the corpus
fuzz: ; $(TOOLS) fuzz --minutes $(MINUTES) $(call opt,FIND,find) $(ARGS)
#: make mutate       change one piece of lib/ at a time and see whether a test fails: MINUTES=10;
#:                     ONLY=auth.py; goes on where it was stopped (docs/reliability.md)
mutate: ; $(TOOLS) mutate --minutes $(MINUTES) $(call opt,ONLY,only) $(ARGS)
#: make soak         put every kind of load on a board, and write docs/reliability.md: HOURS=1
soak: ; $(TOOLS) soak --hours $(HOURS) $(call opt,JSON,json) $(ARGS)
#: make compare      run the same checks on microdot and chumicro-websockets, and write docs/reliability.md
compare: ; $(TOOLS) compare $(ARGS)
#: make build        make one update file for the settings page: build/update;
#:                     APP=app.py adds an application; CHIP=c3 only for this chip
build: ; $(TOOLS) build $(call opt,CHIP,chip) $(call opt,APP,app) $(ARGS)
#: make site         build a page that installs the firmware from a browser: build/install, CHIP=c3;
#:                     FIRMWARE=folder with images of MicroPython, instead of downloading them
site: ; $(TOOLS) site $(call opt,CHIP,chip) $(call opt,FIRMWARE,firmware) $(ARGS)
#: make romfs        make a read-only file system with the compiled lib/: CHIP=esp32, build/romfs/CHIP.romfs
romfs: ; $(TOOLS) romfs --chip "$(CHIP)" $(ARGS)
#: make release      build and check wheel, packages, ROMFS and images: build/release;
#:                     VERSION=0.3.0 sets the version first; BASE=... of the packages for mip;
#:                     FIRMWARE=folder with images of MicroPython, instead of downloading them
release: ; $(TOOLS) release $(call opt,VERSION,version) $(call opt,BASE,base) $(call opt,FIRMWARE,firmware) $(ARGS)
#: make package      make packages for mip in build/mip: BASE=https://... or github:owner/repository/path
package: ; $(TOOLS) package "$(BASE)"
#: make docs         build the documentation site into build/site; broken links are errors
docs: ; $(TOOLS) docs
#: make screenshots  take the pictures of the page in docs/, with this computer's Chromium
screenshots: ; $(TOOLS) screenshots
#: make bench        measure speed and memory beside other servers, and write docs/benchmarks.md
#:                     ROUNDS=5 JSON=figures.json ONLY='round trip' (some loads only)
bench: ; $(TOOLS) bench --rounds $(ROUNDS) $(call opt,JSON,json) $(call opt,ONLY,only) $(ARGS)
#: make bench-check  fail if a load is slower than in tools/bench/baseline.json by over a fifth
bench-check: ; $(TOOLS) bench --check --rounds $(ROUNDS) $(ARGS)
#: make bench-memory  measure the firmware's use of the heap: WORD=32 HEAP=128k ARGS='--seconds 10'
#:                     ROMFS=1 with lib/ in a ROMFS; MICROPYTHON=/path with the modules frozen
#:                     into it (docs/virtual-board.md)
bench-memory: ; $(TOOLS) bench --memory $(call opt,WORD,word) $(call opt,HEAP,heap) $(call flag,ROMFS,romfs) $(ARGS)
#: make bench-startup  show what each import of the start takes: WORD=32
bench-startup: ; $(TOOLS) bench --startup $(call opt,WORD,word) $(call opt,HEAP,heap) $(ARGS)
#: make bench-fleet  measure many boards and viewers: ARGS='--boards 20 --viewers 200 --seconds 20'
bench-fleet: ; $(TOOLS) bench-fleet $(ARGS)
#: make lint         check style, types, prose, and that everything compiles for every chip
lint: ; $(TOOLS) lint
#: make format       lay out the code as `make lint` requires, and regenerate generated files
format: ; $(TOOLS) format
#: make setup        only make .venv and install requirements.txt (the others do it when needed)
setup: $(READY)
#: make clean        remove .venv, caches and all other generated files
clean:
	rm -rf $(VENV) build .micropython32 .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name .git -prune -o -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name .git -prune -o -name '*.mpy' -type f -exec rm -f {} +

$(READY): requirements.txt tools/setup.sh
	@PYTHON="$(PYTHON)" sh tools/setup.sh $(VENV)
	@touch $@
