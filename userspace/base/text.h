/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere: UTF-8, terminals, globs, numbers, hex. */
#ifndef KM_TEXT_H
#define KM_TEXT_H

#include "base/base.h"

/* Copies LEN bytes of IN (up to a NUL) into OUT as valid UTF-8, U+FFFD for each bad byte, cut at
 * a character's end. Always terminates. */
void km_utf8_clean(const char *in, size_t len, char *out, size_t size);
/* Bytes of the first character of S and the character in *RET; 0: not valid UTF-8 (or LEN is 0).
 * Surrogates, overlong forms and what lies past U+10FFFF are not valid. */
size_t km_utf8_decode(const char *s, size_t len, uint32_t *ret);
/* Drives or disturbs a terminal: C0, DEL, C1, bidi controls, line separators. */
bool km_utf8_controls(uint32_t c);
bool km_utf8_valid(const char *s, size_t len);

/* For a terminal or a log line: C0, DEL, C1, bidi controls and line separators as \xNN or
 * \u{NNNN}, backslash doubled, bad UTF-8 as \xNN. One line in, one line out. Returns OUT. */
const char *km_text_escape(const char *in, char *out, size_t size);

/* '*' any run without '/', '?' one character but '/', nothing else special. At most the product of
 * both lengths in time, no recursion. */
bool km_glob(const char *pattern, const char *s);

/* The decimal digits at *P into *RET, *P behind the last of them; no sign, no blanks. -EINVAL: no
 * digit there; -ERANGE: more than 64 bits; *P is then untouched as well. */
int km_text_u64(const char **p, uint64_t *ret);

void km_hex(const void *data, size_t len, char *out); /* OUT: 2 * len + 1 */

/* FNV-1a, 64 bit: keys of tables, never for security. */
uint64_t km_hash(const void *data, size_t len);

/* "2d03h", "1h03m", "2m10s", "45s", "1.9s" (below 10 s), "320ms", "15us", "7ns"; two units at most,
 * cut, not rounded; KM_UNKNOWN is "unknown". Returns OUT. */
const char *km_text_duration(uint64_t ns, char *out, size_t size);
/* "63.9 MiB", "512 B"; KM_UNKNOWN is "unknown". Returns OUT. */
const char *km_text_bytes(uint64_t bytes, char *out, size_t size);
/* A systemd service by its name: the characters that unit names have, and ".service" behind. */
bool km_text_is_unit(const char *name);
/* Nearest of the NULL-terminated NAMES to S by edit distance (at most 3), or NULL. */
const char *km_text_nearest(const char *s, const char *const *names);

#endif
