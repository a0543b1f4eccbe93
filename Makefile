# Every target is one script; nothing is decided here.
.PHONY: help setup demo test bench bench-live bench-rooms check-deep data clean

help:
	@echo 'make setup       install the few Debian packages that building needs'
	@echo 'make demo        build, analyse the demo capture, print the answer and where the report is'
	@echo 'make test        the whole gate: format, lints, tests, documentation; times of each stage'
	@echo 'make bench       CPU a packet and a flow beside Suricata and others, hostile traffic; half an hour'
	@echo 'make bench-live  rate without loss and time to a reset on a live port; needs root; 5 minutes'
	@echo 'make bench-rooms where the CPU time goes, room by room; needs root and perf; 2 minutes'
	@echo 'make check-deep  slow checks with tools that are not always there'
	@echo 'make data        build every shipped table from its source and record its licence (packaging/DATA-LICENCES)'
	@echo 'make clean       remove what was built and measured'

setup:
	@packaging/setup.sh

demo:
	@packaging/demo.sh

test:
	@tests/gate.sh

bench:
	@bench/compare.sh

bench-live:
	@bench/live.sh

bench-rooms:
	@bench/rooms.sh

check-deep:
	@tests/deep.sh

data:
	@packaging/data.py

clean:
	@packaging/clean.sh
