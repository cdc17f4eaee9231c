/* SPDX-License-Identifier: Apache-2.0 */
/* An epoll loop: descriptors, timers (timerfd, boot time), signals (signalfd), child pidfds. */
#ifndef KM_LOOP_H
#define KM_LOOP_H

#include "base/base.h"

struct km_loop;

/* A pidfd for each supervised command (KM_SERVICES_MAX), as many again for connections, rings,
 * timers and transient children. */
#define KM_LOOP_SOURCES_MAX 4096

/* Returns 0 to go on or negative errno, which ends km_loop_run() with it. */
typedef int (*km_loop_cb)(void *userdata, int fd, uint32_t events);

int km_loop_new(struct km_loop **ret);
struct km_loop *km_loop_free(struct km_loop *l);
KM_DEFINE_FREEP(struct km_loop, km_loop_free)

/* FD stays the caller's; remove it before closing it. EVENTS as for epoll. All of these may be
 * called from a callback: a descriptor that was removed is not served any more. -EEXIST, -ENOENT,
 * -ENOSPC past KM_LOOP_SOURCES_MAX. */
int km_loop_add(struct km_loop *l, int fd, uint32_t events, km_loop_cb cb, void *userdata);
int km_loop_change(struct km_loop *l, int fd, uint32_t events);
int km_loop_remove(struct km_loop *l, int fd);

/* A periodic timer, at whole multiples of PERIOD_NS on the boot clock (0: not armed yet), so that
 * timers of all processes share their wake-ups; the loop reads the timerfd. *RET_FD is the loop's
 * and names the timer for km_loop_timer_set() and km_loop_remove(), which closes it. Missed periods
 * are one call, with their number as EVENTS. */
int km_loop_timer(struct km_loop *l, uint64_t period_ns, km_loop_cb cb, void *userdata,
                  int *ret_fd);
/* First expiry at the absolute boot time AT_NS (0: disarm), then each PERIOD_NS (0: once). */
int km_loop_timer_set(struct km_loop *l, int timer_fd, uint64_t at_ns, uint64_t period_ns);
/* SIGNALS is blocked for the process and delivered to CB with the signal number as EVENTS.
 * A child inherits the mask: unblock them before exec. */
int km_loop_signals(struct km_loop *l, const int *signals, size_t count, km_loop_cb cb,
                    void *userdata);

/* Until km_loop_stop() or a callback's error. Ready descriptors are served in the order of their
 * adding. */
int km_loop_run(struct km_loop *l);
/* One wait of at most TIMEOUT_MS (-1 for ever); number of callbacks made (0 also when a signal
 * interrupts it) or negative errno. */
int km_loop_once(struct km_loop *l, int timeout_ms);
/* After the callback that calls it, none is served. */
void km_loop_stop(struct km_loop *l);

/* This process takes short turns on a CPU, and so has the next one sooner when it wakes where
 * others are busy; it gets no more of the CPU than before, and its children do as everybody does.
 * From 6.12 on (857b158dc5e8 "sched/eevdf: Use sched_attr::sched_runtime to set request/slice
 * suggestion"), before nothing changes. */
int km_loop_short_turns(void);

/* CLOCK_BOOTTIME now. The only clock of live code; never called by phases 2 to 7 and 9. */
uint64_t km_now_ns(void);

#endif
