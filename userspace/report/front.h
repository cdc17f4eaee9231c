/* SPDX-License-Identifier: Apache-2.0 */
/* What the daemon calls in the front process, after it has dropped its user: no file can be opened,
 * no process started, no connection made from then on. Before km_front_run(). 0 or negative
 * errno. */
#ifndef KM_FRONT_H
#define KM_FRONT_H

int km_front_confine(void);

#endif
