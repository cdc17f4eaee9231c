/* SPDX-License-Identifier: Apache-2.0 */
/* Giving rights up, for good. */
#ifndef KM_PRIVILEGE_H
#define KM_PRIVILEGE_H

#include "daemon/setup.h"

/* The account NAME, or the reserved number FALLBACK where there is none. */
void km_privilege_user(const char *name, uint32_t fallback, struct km_user *ret);
/* Becomes USER with only CAP_BPF and CAP_PERFMON (BPF true) or nothing at all. What was said by
 * km_privilege_die_with() holds on. */
int km_privilege_drop(const struct km_user *user, bool bpf);
/* This process ends with its parent, also if that one was killed before the call. */
int km_privilege_die_with(int parent_pid);

#endif
