# SPDX-License-Identifier: BSD-2-Clause
#
# Makefile - builds ./dbtap and starts every check.
#
# Sources are found by pattern. Each flavour (obj: what is installed, san: unit tests, cov: coverage, fuzz) compiles the
# same sources into build/<flavour>; the BPF programs are built once. What a check does is in tests/lib.

VERSION ?= $(or $(shell git describe --tags --match 'v[0-9]*' --dirty 2>/dev/null | sed 's/^v//'),0.1.0)
PREFIX ?= /usr/local
DESTDIR ?=
ifeq ($(origin CC),default)
CC := gcc
endif
CLANG ?= clang
BPFTOOL ?= bpftool
# The distribution's python: the packages of the tests are installed for that one.
PYTHON ?= /usr/bin/python3 -B
export PATH := $(PATH):/usr/sbin:/sbin

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
Q := $(if $(V),,@)
say = $(if $(V),@:,@printf '  %-8s %s\n')
JOBS := -j$(shell nproc 2>/dev/null || echo 1)

# --- what there is -------------------------------------------------------------------------------------------------
BPF_SOURCES := $(sort $(wildcard bpf/*.bpf.c))
SOURCES := $(sort $(shell find userspace correlate -name '*.c'))
MAIN := userspace/cmd/main.c
LIBRARY_SOURCES := $(filter-out $(MAIN),$(SOURCES))
VERSION_SOURCES := $(shell grep -l TAP_VERSION $(SOURCES) /dev/null)
UNIT_SOURCES := $(sort $(shell find tests/unit -name 'test_*.c'))
FUZZ_SOURCES := $(sort $(wildcard tests/fuzz/fuzz_*.c))
# Linked into every unit test. Stand-ins for a library and programs of their own are named in the rules below.
HELPER_SOURCES := $(filter-out tests/lib/scripted_% tests/lib/verifier.c tests/lib/lock_reader.c tests/lib/my_digest.c,$(sort $(wildcard tests/lib/*.c)))

# --- libraries -----------------------------------------------------------------------------------------------------
LIBRARIES := libbpf libelf libpq
# Optional ones, as pkg-config names them: each that is there defines HAVE_<NAME>. libmariadb: connections to MariaDB.
OPTIONAL_LIBRARIES := libmariadb
found := $(foreach l,$(OPTIONAL_LIBRARIES),$(if $(shell pkg-config --exists $l 2>/dev/null && echo y),$l))
have := $(foreach l,$(found),-DHAVE_$(shell echo $l | tr 'a-z.-' 'A-Z__'))
PKG_CFLAGS := $(shell pkg-config --cflags $(LIBRARIES) $(found) 2>/dev/null) $(have)
PKG_LIBS := $(shell pkg-config --libs $(LIBRARIES) $(found) 2>/dev/null) -lm
# Stand-ins for the libraries of servers, and what is linked beside them.
SCRIPTED := tests/lib/scripted_libpq.o tests/lib/scripted_libmariadb.o
UNSCRIPTED_LIBS := $(filter-out -lpq -lmariadb,$(PKG_LIBS))
CHECK_CFLAGS := $(shell pkg-config --cflags check 2>/dev/null)
CHECK_LIBS := $(shell pkg-config --libs check 2>/dev/null)
# What some unit tests compare with, linked where it is installed; libpg_query has no pkg-config file.
PEER_LIBS := $(shell pkg-config --libs jansson 2>/dev/null) $(if $(wildcard /usr/include/pg_query.h),-lpg_query)

# --- flags ---------------------------------------------------------------------------------------------------------
# gcc's guess at what snprintf may cut changes with the flavour, and cutting is what snprintf is for.
WARNINGS := -Wall -Wextra -Werror -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wno-format-truncation
# Empty, so that a source that says so itself says the same.
COMMON := -std=gnu11 -g -D_GNU_SOURCE= -I. -Ibuild $(PKG_CFLAGS)
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

CC_obj := $(CC)
CFLAGS_obj := $(COMMON) -O2 $(WARNINGS) -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=2
LDFLAGS_obj := -pie -Wl,-z,relro,-z,now
CC_san := $(CC)
# gcc documents false alarms of this warning under sanitizers; flavour obj has it.
CFLAGS_san := $(COMMON) -O1 $(WARNINGS) -Wno-maybe-uninitialized $(SANITIZE) $(CHECK_CFLAGS)
LDFLAGS_san := $(SANITIZE)
CC_cov := $(CC)
CFLAGS_cov := $(COMMON) -O0 $(WARNINGS) --coverage -fprofile-update=atomic $(CHECK_CFLAGS)
LDFLAGS_cov := --coverage
CC_fuzz := $(CLANG)
CFLAGS_fuzz := $(COMMON) -O1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz := -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all

# Unit tests may make the n-th allocation fail: tests/lib/alloc_fail.h.
WRAPPED := malloc calloc realloc reallocarray strdup strndup
WRAP := $(WRAPPED:%=-Wl,--wrap=%)
# A function that a unit test defines stands in for the library's, also where its object file is linked for another.
WRAP += -Wl,-z,muldefs

MACHINE := $(shell uname -m)
BPF_ARCH_x86_64 := x86
BPF_ARCH_aarch64 := arm64
BPF_FLAGS := -std=gnu11 -O2 -g -target bpf -mcpu=v3 -D__TARGET_ARCH_$(BPF_ARCH_$(MACHINE)) \
	-Wall -Werror -I. -I/usr/include/$(MACHINE)-linux-gnu
SKELETON := build/tracer.skel.h

# --- the program ---------------------------------------------------------------------------------------------------
.PHONY: all install clean deps demo FORCE
all: dbtap

dbtap: build/obj/dbtap
	$(Q)cp -f $< $@

install: dbtap
	install -D -m 0755 dbtap $(DESTDIR)$(PREFIX)/bin/dbtap

clean:
	rm -rf build dbtap test_results.json

deps:
	@tests/lib/packages.sh build

demo:
	@tests/lib/packages.sh build demo
	@$(MAKE) --no-print-directory $(JOBS) all
	./dbtap demo

# --- stamps: flags, version and the list of files, rewritten only when they change ----------------------------------
stamp = @mkdir -p $(@D); printf '%s\n' $(1) | cmp -s - $@ || printf '%s\n' $(1) >$@
build/flags.bpf: FORCE
	$(call stamp,'$(CLANG) $(BPF_FLAGS)')
build/flags.%: FORCE
	$(call stamp,'$(CC_$*) $(CFLAGS_$*) $(LDFLAGS_$*)')
build/version: FORCE
	$(call stamp,'$(VERSION)')
build/sources: FORCE
	$(call stamp,'$(LIBRARY_SOURCES)')
build/sources.bpf: FORCE
	$(call stamp,'$(BPF_SOURCES)')

build/tools: build/flags.obj
	@for tool in $(CC) $(CLANG) $(BPFTOOL) pkg-config; do command -v $$tool >/dev/null || \
		{ echo "make: $$tool: not found: as root, \`make deps\` installs what the build needs" >&2; exit 1; }; done
	@pkg-config --exists --print-errors $(LIBRARIES) || \
		{ echo "make: libraries missing: as root, \`make deps\` installs what the build needs" >&2; exit 1; }
	@touch $@

# --- BPF -----------------------------------------------------------------------------------------------------------
BPF_OBJECTS := $(BPF_SOURCES:%.c=build/%.o)
$(BPF_OBJECTS): build/%.o: %.c build/flags.bpf | build/tools
	$(say) BPF $<
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_FLAGS) -MMD -MP -c -o $@ $<

build/dbtap.bpf.o: $(BPF_OBJECTS) build/sources.bpf
	$(say) LINK $@
	$(Q)$(BPFTOOL) gen object $@ $(BPF_OBJECTS)

$(SKELETON): build/dbtap.bpf.o
	$(say) SKEL $@
	$(Q){ echo '/* NOLINTBEGIN */' && $(BPFTOOL) gen skeleton $< name tracer_bpf && echo '/* NOLINTEND */'; } >$@

# --- flavours ------------------------------------------------------------------------------------------------------
LIBTAP_obj := build/libtap.a
LIBTAP_san := build/san/libtap.a
LIBTAP_cov := build/cov/libtap.a
LIBTAP_fuzz := build/fuzz/libtap.a

# $(1): flavour
define flavour
OBJECTS_$(1) := $$(SOURCES:%.c=build/$(1)/%.o)
TEST_OBJECTS_$(1) := $$(patsubst %.c,build/$(1)/%.o,$$(UNIT_SOURCES) $$(FUZZ_SOURCES) $$(wildcard tests/lib/*.c))
UNIT_$(1) := $$(UNIT_SOURCES:%.c=build/$(1)/%)
HELPERS_$(1) := $$(HELPER_SOURCES:%.c=build/$(1)/%.o)

$$(OBJECTS_$(1)): | $$(SKELETON)
$$(VERSION_SOURCES:%.c=build/$(1)/%.o): build/version
$$(VERSION_SOURCES:%.c=build/$(1)/%.o): version_flag = -DTAP_VERSION='"$$(VERSION)"'
$$(OBJECTS_$(1)) $$(TEST_OBJECTS_$(1)): build/$(1)/%.o: %.c build/flags.$(1) | build/tools
	$$(say) CC $$@
	@mkdir -p $$(@D)
	$$(Q)$$(CC_$(1)) $$(CFLAGS_$(1)) $$(version_flag) -MMD -MP -c -o $$@ $$<

$$(LIBTAP_$(1)): $$(LIBRARY_SOURCES:%.c=build/$(1)/%.o) build/sources
	$$(say) AR $$@
	@rm -f $$@
	$$(Q)$$(AR) rcsD $$@ $$(filter %.o,$$^)

build/$(1)/dbtap: $$(MAIN:%.c=build/$(1)/%.o) $$(LIBTAP_$(1))
	$$(say) LD $$@
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) -o $$@ $$^ $$(PKG_LIBS)

# A test named test_<x>_scripted.c talks to tests/lib/scripted_libpq.c and scripted_libmariadb.c instead of the libraries.
$$(filter %_scripted,$$(UNIT_$(1))): $$(SCRIPTED:%=build/$(1)/%)
$$(UNIT_$(1)): build/$(1)/%: build/$(1)/%.o $$(HELPERS_$(1)) $$(LIBTAP_$(1))
	$$(say) LD $$@
	$$(Q)$$(CC_$(1)) $$(LDFLAGS_$(1)) $$(WRAP) -o $$@ $$(filter %.o,$$^) $$(LIBTAP_$(1)) \
		$$(if $$(filter %_scripted,$$*),$$(UNSCRIPTED_LIBS),$$(PKG_LIBS)) $$(CHECK_LIBS) -Wl,--as-needed $$(PEER_LIBS)

-include $$(OBJECTS_$(1):.o=.d) $$(TEST_OBJECTS_$(1):.o=.d)
endef
$(foreach f,obj san cov fuzz,$(eval $(call flavour,$f)))
-include $(BPF_OBJECTS:.o=.d)

FUZZERS := $(FUZZ_SOURCES:%.c=build/fuzz/%)
$(filter %_scripted,$(FUZZERS)): $(SCRIPTED:%=build/fuzz/%)
$(FUZZERS): %: %.o $(LIBTAP_fuzz)
	$(say) LD $@
	$(Q)$(CC_fuzz) $(LDFLAGS_fuzz) -o $@ $(filter %.o,$^) $(LIBTAP_fuzz) \
		$(if $(filter %_scripted,$@),$(UNSCRIPTED_LIBS),$(PKG_LIBS))

build/verifier: build/obj/tests/lib/verifier.o
	$(say) LD $@
	$(Q)$(CC_obj) $(LDFLAGS_obj) -o $@ $< $(PKG_LIBS)

# What live tests look at the lock tables with: the library, without a command around it.
build/lock_reader: build/obj/tests/lib/lock_reader.o $(LIBTAP_obj)
	$(say) LD $@
	$(Q)$(CC_obj) $(LDFLAGS_obj) -o $@ $< $(LIBTAP_obj) $(PKG_LIBS)

# The same for digests of MariaDB's statements.
build/my_digest: build/obj/tests/lib/my_digest.o $(LIBTAP_obj)
	$(say) LD $@
	$(Q)$(CC_obj) $(LDFLAGS_obj) -o $@ $< $(LIBTAP_obj) $(PKG_LIBS)

# --- checks --------------------------------------------------------------------------------------------------------
.PHONY: test test-unit test-live test-matrix test-vm vm-keep pg-layout-row coverage bench bench-block bench-locks unit-programs coverage-programs fuzz-programs
.PHONY: check-includes check-headers check-format check-tidy check-abi verifier verifier-keep fuzz-short
.PHONY: print-tidy-flags print-bpf-flags print-unit-programs
unit-programs: $(UNIT_san)
coverage-programs: $(UNIT_cov) build/cov/dbtap
fuzz-programs: $(FUZZERS)

test:
	@tests/lib/packages.sh build demo test
	@$(PYTHON) tests/lib/run_tests.py
test-unit:
	@$(PYTHON) tests/lib/run_tests.py unit
test-live:
	@$(PYTHON) tests/lib/run_tests.py live
# Servers of other versions, fetched once into build/servers; TAP_MATRIX="17 18" for some of them.
test-matrix:
	@$(PYTHON) tests/lib/run_tests.py matrix
# Other kernels, in QEMU; TAP_VM="6.1 6.12" for some of them. vm-keep takes over what ran, and writes docs/support.md anew.
test-vm:
	@tests/lib/packages.sh build vm
	@$(PYTHON) tests/lib/run_tests.py vm
vm-keep:
	@$(PYTHON) tests/vm/record.py
# The numbers of a row of userspace/attach/pg_layout.c: make pg-layout-row HEADERS=$$(pg_config --includedir-server)
pg-layout-row:
	@$(PYTHON) tests/lib/pg_layout_row.py $(or $(HEADERS),$(shell pg_config --includedir-server))
coverage:
	@$(PYTHON) tests/lib/coverage.py
bench: dbtap
	./dbtap bench overhead
bench-block: dbtap
	@$(PYTHON) tests/bench/block_requests.py
bench-locks: dbtap
	@$(PYTHON) tests/bench/lock_waits.py

check-includes:
	@$(PYTHON) tests/lib/check_includes.py
check-headers: $(SKELETON)
	@$(PYTHON) tests/lib/check_headers.py
check-format:
	@clang-format --version
	@find bpf userspace correlate tests vmlinux -name '*.[ch]' | sort | xargs clang-format --dry-run -Werror || \
		{ echo "check-format: clang-format -i mends the files above"; exit 1; }
check-tidy: $(SKELETON)
	@$(PYTHON) tests/lib/check_tidy.py
check-abi:
	@mkdir -p build
	@$(PYTHON) tests/unit/bpf/abi/check_abi.py
verifier: build/verifier build/dbtap.bpf.o
	@CLANG='$(CLANG)' $(PYTHON) tests/lib/verifier.py
verifier-keep: build/verifier build/dbtap.bpf.o
	@CLANG='$(CLANG)' $(PYTHON) tests/lib/verifier.py --keep
fuzz-short:
	@$(PYTHON) tests/lib/run_tests.py fuzz --fuzz-seconds 20

# For the checkers, so that flags have one place.
print-tidy-flags:
	@echo '$(COMMON) $(CHECK_CFLAGS) -DTAP_VERSION=\"tidy\"'
print-bpf-flags:
	@echo '$(BPF_FLAGS)'
print-unit-programs:
	@printf '%s\n' $(UNIT_san)
