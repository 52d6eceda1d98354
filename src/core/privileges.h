// SPDX-License-Identifier: MIT
/*
 * What a process that answers others does not need once its port is open and its files are read: capabilities, new
 * privileges by programs it might start, and core files, which would hold what users wrote. Called by a server before it makes
 * threads, which inherit the state of the thread that makes them.
 *
 *     ... bind, read certificates ...
 *     glm_privileges_drop();
 *     ... make threads ...
 */
#ifndef GLM_CORE_PRIVILEGES_H
#define GLM_CORE_PRIVILEGES_H

/** For good, for this thread and those it makes. What the system does not let go is kept: nothing fails. */
void glm_privileges_drop(void);

#endif
