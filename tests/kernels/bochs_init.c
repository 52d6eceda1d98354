// SPDX-License-Identifier: MIT
/*
 * The first process of the emulated machine of tools/check-bochs: runs /check-kernels with the arguments in /arguments, one a line, says how it
 * ended, and turns the machine off.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 32 };

static void run(void)
{
    static char text[4096];
    char *argv[ARGUMENTS_MAX + 2] = {"/check-kernels"}, *rest = NULL;
    int fd = open("/arguments", O_RDONLY);
    if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
        _exit(126);
    char *word = strtok_r(text, "\n", &rest);
    for (int i = 1; word && i <= ARGUMENTS_MAX; i++, word = strtok_r(NULL, "\n", &rest))
        argv[i] = word;
    execv(argv[0], argv);
    _exit(127);
}

int main(void)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        run();
    while (pid > 0 && waitpid(pid, &status, 0) < 0)
        ;
    printf("check-bochs: ended with %d, signal %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1,
           WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    fflush(stdout);
    sleep(1);
    reboot(RB_POWER_OFF);
    for (;;)
        pause();
}
