/* SPDX-License-Identifier: Apache-2.0 */
/* An IP address with its port as the kernel side has it (struct kmend_address). */
#ifndef KM_PEER_H
#define KM_PEER_H

#include "base/base.h"
#include "event.h"

/* "[ffff:...:255.255.255.255]:65535" with its terminator. */
#define KM_PEER_TEXT 56

/* "10.0.0.5:5432" or "[2001:db8::1]:5432". -EINVAL: no such thing. */
int km_peer_parse(const char *text, struct kmend_address *ret);
void km_peer_text(const struct kmend_address *p, char ret[static KM_PEER_TEXT]);
bool km_peer_is_v4(const struct kmend_address *p);

#endif
