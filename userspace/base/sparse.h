/* SPDX-License-Identifier: Apache-2.0 */
/* Records that are mostly zeros, kept short: rows have room for the longest name. Of each eight
 * words stands a byte that says which are not zero, and then those: a fraction of what a general
 * compressor takes, for two thirds of what it gains. */
#ifndef KM_SPARSE_H
#define KM_SPARSE_H

#include "base/buf.h"

/* Appends DATA as one record; km_buf_error() tells whether all of it is there. */
void km_sparse_add(struct km_buf *to, const void *data, uint32_t len);
/* The record at *AT, which becomes where the next begins, into RET[MAX]: its length; 0: there is no
 * more; -EBADMSG: cut short, or longer than MAX. */
int km_sparse_next(const struct km_buf *from, size_t *at, void *ret, uint32_t max);

#endif
