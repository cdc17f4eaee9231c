/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses of sockets as people write them. */
#ifndef KM_ADDRESS_H
#define KM_ADDRESS_H

#include <sys/socket.h>

#include "base/base.h"

/* "127.0.0.1:80", "[::1]:80" or "/run/x.sock". Numbers only: a name would need a resolver. 0 or
 * -EINVAL. */
int km_address_parse(const char *text, struct sockaddr_storage *ret, socklen_t *ret_len);

#endif
