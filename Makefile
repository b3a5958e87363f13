# The developer's front door; meson and ninja do the work. `make help` lists the targets.
B       ?= build
PREFIX  ?= /usr/local
DESTDIR ?=
T       ?=
SERVERS  = tests/servers/servers.sh

.PHONY: build t one check asan tsan contract interop lint fmt tidy bench vectors install \
        deps servers-start servers-stop demo ci clean help

build: $(B)/build.ninja ## the library, the pail command, the Python module and the tests, in build/
	ninja -C $(B)

$(B)/build.ninja:
	meson setup $(B)

t: build ## unit and golden tests
	meson test -C $(B) --no-rebuild --suite unit --suite golden

one: build ## one test by name: make one T=NAME
	meson test -C $(B) --no-rebuild --verbose $(T)

check: ## everything, with the quick servers (./check; all servers: ./check --all)
	./check

asan: ## every test that needs no server, under ASan and UBSan (in build-asan/)
	test -f build-asan/build.ninja || meson setup build-asan -Db_sanitize=address,undefined -Db_lundef=false
	meson test -C build-asan --no-suite servers --no-suite python --no-suite interop $(T)

tsan: ## unit and contract tests under TSan (in build-tsan/)
	test -f build-tsan/build.ninja || meson setup build-tsan -Db_sanitize=thread -Db_lundef=false
	meson test -C build-tsan --suite unit --suite contract --no-suite servers $(T)

contract: build ## the contract suite over the servers that run (make servers-start)
	eval "$$($(SERVERS) env)" && meson test -C $(B) --no-rebuild --suite servers $(T)

interop: build ## what pail writes boto3 reads, and the reverse, over the servers that run
	eval "$$($(SERVERS) env)" && meson test -C $(B) --no-rebuild --suite interop $(T)

lint: build ## the house rules: rooms, names, banned calls, READMEs, format
	tools/lint --build $(B)

fmt: ## format the C files in place
	tools/lint --fix

tidy: build ## clang-tidy over the library and the command
	run-clang-tidy -quiet -p $(B) "^$(CURDIR)/(src|cli)/"

bench: build ## measure against probes and peers (bench/README.md)
	bench/run

vectors: build ## run test vectors: make vectors T='FILE-OR-FOLDER...'
	$(B)/tests/vectors $(if $(T),$(T),tests/vectors)

install: build ## install below $(DESTDIR)$(PREFIX)
	meson configure $(B) --prefix $(PREFIX)
	ninja -C $(B)
	meson install -C $(B) --no-rebuild $(if $(DESTDIR),--destdir $(DESTDIR))

deps: ## install the packages that the build and the tests need
	tools/deps build tests

servers-start: ## install and start the quick test servers (all: make servers-start T=all)
	$(SERVERS) install $(if $(T),$(T),default) clients
	$(SERVERS) start $(if $(T),$(T),default)

servers-stop: ## stop the test servers
	$(SERVERS) stop

demo: ## build with release flags and do the main job once
	./demo

ci: ## exactly what the integration run does
	.ci/run

clean: ## remove every build folder
	rm -rf build build-asan build-tsan build-check

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{ printf "  make %-14s %s\n", $$1, $$2 }'
