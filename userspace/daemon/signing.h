/* SPDX-License-Identifier: Apache-2.0 */
/* Signed rules: beside RULE.json lies RULE.json.sig, made with the key that the policy names. */
#ifndef KM_SIGNING_H
#define KM_SIGNING_H

#include "base/policy.h"
#include "base/sha256.h"

struct km_signing;

/* From the policy below DIR_FD (rules/policy/guardrails.json), if there is one: *RET is NULL where
 * it names no key. -EBADMSG, -EPERM and so on with *ERR. */
int km_signing_new(int dir_fd, struct km_error *err, struct km_signing **ret);
struct km_signing *km_signing_free(struct km_signing *s);
KM_DEFINE_FREEP(struct km_signing, km_signing_free)

/* TEXT is that of FILE below DIR_FD. S NULL: 0. -EBADMSG with *ERR: a signature that is not its
 * own, or none where one is required. */
int km_signing_check(const struct km_signing *s, int dir_fd, const char *file,
                     const struct km_span *text, struct km_error *err);

#endif
