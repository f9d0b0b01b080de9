# Needs nothing but Go, and make itself. Every target is a line of "make help".

GO ?= go
# Fuzzing runs a fixed number of inputs, so that it ends on any machine.
FUZZTIME ?= 20000x
# Of the targets whose inputs take a millisecond or more it runs fewer, unless FUZZTIME
# is said.
FUZZSLOW = FuzzDecode FuzzRequests FuzzResync FuzzSegmentAndIndex
FUZZTIMESLOW ?= $(if $(filter 20000x,$(FUZZTIME)),8000x,$(FUZZTIME))
BENCH ?= .
# The race detector needs a C compiler; Go turns cgo off where there is none.
# CI must have one.
RACE = $(if $(or $(CI),$(filter 1,$(shell $(GO) env CGO_ENABLED))),-race)

# A fingerprint of the generated files: their names and contents.
FINGERPRINT = cksum format/z*.go

.PHONY: help demo generate pictures check test fuzz soak soak-gateway bench bench-quick bench-shared bench-compare

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## run the whole line on this machine, from device to cloud
	$(GO) run ./cmd/ulogkit demo

generate: ## write format/z*.go anew from spec/ulogger.ksy
	$(GO) generate ./...

pictures: ## draw the pictures of the documents anew, and copy the table of Python's calls
	$(GO) test -run 'TestPictureOf|TestReadmeHasTheTableOfPython' ./cmd/ulogkit -update

check: ## generated files are current, formatting, vet, staticcheck
	@before=$$($(FINGERPRINT)) && $(GO) generate ./... && after=$$($(FINGERPRINT)) && \
	if [ "$$before" != "$$after" ]; then \
		echo "format/z*.go were not current; they have been written anew, commit them"; exit 1; \
	fi
	@files=$$(gofmt -l . && $(GO) tool gofumpt -l .) && \
	if [ -n "$$files" ]; then echo "run \"go tool gofumpt -w\" on:"; echo "$$files" | sort -u; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

test: ## run all tests, with the race detector where there is a C compiler
	$(GO) test $(RACE) -timeout 20m ./...

fuzz: ## run every fuzz target for FUZZTIME inputs
	@for package in $$($(GO) list ./...); do \
		targets=$$($(GO) test -list '^Fuzz' $$package) || exit 1; \
		for target in $$(echo "$$targets" | grep '^Fuzz'); do \
			count=$(FUZZTIME); \
			for slow in $(FUZZSLOW); do if [ $$target = $$slow ]; then count=$(FUZZTIMESLOW); fi; done; \
			echo "$$package $$target" && \
			$(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $$count -fuzzminimizetime 1x $$package || exit 1; \
		done; \
	done

soak: ## a week of faults in fake time for 1,000 devices, and 3,000 kills; some 10 minutes
	ULOGKIT_SOAK_HOURS=168 ULOGKIT_KILL_CYCLES=3000 $(GO) test -v -timeout 2h -run 'TestF18|TestF28' ./mqttv5

# In pieces, as each ends with the check of all that it accepted.
soak-gateway: ## a gateway for an hour through a network that fails, and 10,000 cycles of kills; some 80 minutes
	ULOGKIT_SOAK=1h $(GO) test -v -count 1 -timeout 2h -run TestSoakStaysFlat ./cmd/ulogkit
	ULOGKIT_KILL_CYCLES=2500 $(GO) test -v -count 4 -timeout 2h -run TestKillsLoseNothing ./mqttv5/gateway

bench: ## measure everything ten times over into bench/results, in under 15 minutes
	$(GO) run ./bench/record -bench '$(BENCH)'

bench-quick: ## measure what one core does in under a minute, and hold it against the promises
	$(GO) run ./bench/record -bench '$(BENCH)' -skip 'Parallel|Publish|Outbox|Ingest|Upload' -count 10 -benchtime 10ms -o build/bench-quick.txt
	$(GO) run ./bench/dashboard -gate build/bench-quick.txt

# Only the rows that a promise is about. In eight passes the interval of a ratio
# reaches from the worst to the best, so that this fails only when no pass comes near
# the promise: a neighbour that takes a core or the disk halves most ratios, not all.
bench-shared: ## measure what takes all cores, network or disk in about a minute, and hold it against the promises
	$(GO) run ./bench/record -bench 'Parallel|Publish|Outbox|Ingest' \
		-skip 'Parallel/./json|Publish/raw-together|Outbox/./callers=1$$|Ingest/file|Ingest/./size=(256|16384)|Ingest/././.' \
		-count 8 -benchtime 100ms -o build/bench-shared.txt
	$(GO) run ./bench/dashboard -gate build/bench-shared.txt

bench-compare: ## measure the commit BASE and this tree in turns, and compare them
	sh bench/compare.sh $(BASE) $(if $(filter-out .,$(BENCH)),'$(BENCH)')
