# SPDX-License-Identifier: Apache-2.0
# make install, make uninstall: DESTDIR is put before each path, PREFIX is /usr. Configuration and
# state are left alone by uninstall, and configuration that is there already by install.

SYSCONFDIR ?= /etc
BINDIR      = $(PREFIX)/bin
SBINDIR     = $(PREFIX)/sbin
DATADIR     = $(PREFIX)/share
UNITDIR     = $(PREFIX)/lib/systemd/system
SYSUSERSDIR = $(PREFIX)/lib/sysusers.d
TMPFILESDIR = $(PREFIX)/lib/tmpfiles.d
PACKAGING  := tools/packaging

MAN_PAGES   = $(wildcard tools/man/*.[1-8])
RULE_FILES  = $(patsubst rules/%,%,$(wildcard rules/*.md rules/*/*.json))
INSTALL_TO  = install -D -m
PLACES      = -e 's,@SBINDIR@,$(SBINDIR),g' -e 's,@DATADIR@,$(DATADIR),g' \
	      -e 's,@SYSCONFDIR@,$(SYSCONFDIR),g'

# A page goes where its number says.
man_place   = $(DATADIR)/man/man$(subst .,,$(suffix $(1)))/$(notdir $(1))

## install: binaries, rules, unit, users, man pages (DESTDIR, PREFIX)
install: all
	$(INSTALL_TO) 755 $(O)/kmendd $(DESTDIR)$(SBINDIR)/kmendd
	$(INSTALL_TO) 755 $(O)/kmend $(DESTDIR)$(BINDIR)/kmend
	$(foreach f,$(RULE_FILES),$(INSTALL_TO) 644 rules/$(f) \
		$(DESTDIR)$(DATADIR)/kmend/rules/$(f) &&) :
	$(foreach f,$(MAN_PAGES),$(INSTALL_TO) 644 $(f) $(DESTDIR)$(call man_place,$(f)) &&) :
	$(INSTALL_TO) 644 $(PACKAGING)/completion/kmend.bash \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/kmend
	$(INSTALL_TO) 644 $(PACKAGING)/kmend.sysusers $(DESTDIR)$(SYSUSERSDIR)/kmend.conf
	$(INSTALL_TO) 644 $(PACKAGING)/kmend.tmpfiles $(DESTDIR)$(TMPFILESDIR)/kmend.conf
	$(INSTALL_TO) 644 $(PACKAGING)/kmend.json \
		$(DESTDIR)$(DATADIR)/doc/kmend/examples/kmend.json
	$(INSTALL_TO) 644 LICENSE $(DESTDIR)$(DATADIR)/doc/kmend/copyright
	install -d $(DESTDIR)$(UNITDIR) $(DESTDIR)$(SYSCONFDIR)/default \
		$(DESTDIR)$(SYSCONFDIR)/kmend
	sed $(PLACES) $(PACKAGING)/kmend.service.in >$(DESTDIR)$(UNITDIR)/kmend.service
	[ -e $(DESTDIR)$(SYSCONFDIR)/default/kmend ] || \
		sed $(PLACES) $(PACKAGING)/kmend.default >$(DESTDIR)$(SYSCONFDIR)/default/kmend
	$(if $(DESTDIR),,-systemd-sysusers kmend.conf)
	$(if $(DESTDIR),,-systemctl daemon-reload)
	$(if $(DESTDIR),,@echo "now: systemctl enable --now kmend")

## uninstall: what install put there, but configuration and state
uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/kmendd $(DESTDIR)$(BINDIR)/kmend \
		$(foreach f,$(MAN_PAGES),$(DESTDIR)$(call man_place,$(f))) \
		$(DESTDIR)$(DATADIR)/bash-completion/completions/kmend \
		$(DESTDIR)$(SYSUSERSDIR)/kmend.conf $(DESTDIR)$(TMPFILESDIR)/kmend.conf \
		$(DESTDIR)$(UNITDIR)/kmend.service
	rm -rf $(DESTDIR)$(DATADIR)/kmend $(DESTDIR)$(DATADIR)/doc/kmend

.PHONY: install uninstall
