/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon: three or four processes around one pipeline.
 *
 *   actor   the main process: root, phase 8, the watchdog, and the end of the others
 *   engine  phases 1 to 7, 9, 10: drops to the user kmend once programs are loaded
 *   front   the listening socket: user kmend-front, seccomp, no files
 *   prober  health checks, if any are defined: user kmend-probe, no right at all
 *
 * They share one fate: when one ends, the others end in order and the supervisor (systemd)
 * starts them anew; supervised services live on and are adopted. */
#ifndef KM_DAEMON_H
#define KM_DAEMON_H

#include "base/base.h"

struct km_daemon_opts {
	const char *config; /* file, NULL: embedded defaults */
	const char *rules;  /* directory, NULL: no rules */
	const char *state;  /* directory */
	const char *run;    /* directory */
	bool foreground;    /* a live view if stdout is a terminal, log lines else */
	bool no_bpf;
	bool no_view;
	bool stop_services; /* at a clean end, stop supervised commands too */
};

/* Exit status for main(). */
int km_daemon_run(const struct km_daemon_opts *opts);

#endif
