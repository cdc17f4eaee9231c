/* SPDX-License-Identifier: Apache-2.0 */
/* How soon the scheduler runs this process when there is something for it to do. */
#ifndef KM_URGENCY_H
#define KM_URGENCY_H

/* Ahead of others by NICE (at most 0), and without waiting until a hog's slice is over. Processes
 * that it starts from now on are as any other. A plain user may not ask for a negative NICE, and
 * goes without. */
void km_urgency_raise(int nice);
/* As any other process. */
void km_urgency_reset(void);

#endif
