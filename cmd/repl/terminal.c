/* SPDX-License-Identifier: MIT */

/* Line editing with libedit, without handing the thread to it.
 *
 * libedit asks for characters through a function of ours, and that function steps the node's loop
 * until stdin has one. So the editor believes that it blocks, and the node goes on: packets are
 * answered, transfers move, and what they say appears on its own line, after which the edited line
 * is drawn again (terminal_hide, terminal_show). Escape sequences that arrive in pieces need no
 * special case. A signal or the end of the node makes the function report end of file, which takes
 * us out of the editor.
 *
 * The progress of transfers stands in the prompt itself; while a transfer runs the line is redrawn
 * PROGRESS_INTERVAL apart, and not at all otherwise. Between two edited lines the terminal is in
 * its ordinary mode, so a blocked command can be interrupted, and what is typed ahead is kept by
 * the kernel.
 *
 * Completion knows the commands of this kind of node, interface names behind `up`, `down` and `link`, and
 * file names behind `sf` and `rf`. History holds the last HISTORY_MAX lines of this session.
 */

#include <cmd/repl/commands.h>
#include <cmd/repl/complete.h>
#include <cmd/repl/repl.h>
#include <cmd/repl/terminal.h>
#include <cmd/repl/transfer.h>
#include <errno.h>
#include <histedit.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#define PROGRESS_INTERVAL (200 * WEIR_MS)
#define HISTORY_MAX 500
#define CTRL_D 4

struct terminal {
    struct repl *repl;
    EditLine *edit;
    History *history;
    bool editing; /* a line is on the screen */
    bool hidden;
    weir_time progress_due;
    char prompt[160];
    char *line;
};

static struct terminal *terminal_of(EditLine *edit)
{
    void *data = NULL;

    el_get(edit, EL_CLIENTDATA, &data);
    return data;
}

static char *make_prompt(EditLine *edit)
{
    struct terminal *terminal = terminal_of(edit);
    char progress[128];

    transfers_progress(terminal->repl, progress, sizeof progress);
    snprintf(terminal->prompt, sizeof terminal->prompt, "%s> ", progress);
    return terminal->prompt;
}

/* One character for the editor: 1, or 0 for "end of file". */
static int next_char(EditLine *edit, wchar_t *wide)
{
    struct terminal *terminal = terminal_of(edit);
    char buffer[MB_LEN_MAX];
    size_t used = 0;
    mbstate_t state;

    for (;;) {
        size_t length;

        while (repl_may_wait(terminal->repl) && !repl_step(terminal->repl, true))
            ;
        if (!repl_may_wait(terminal->repl))
            return 0;
        if (read(STDIN_FILENO, &buffer[used], 1) != 1)
            return 0;
        used++;
        memset(&state, 0, sizeof state);
        length = mbrtowc(wide, buffer, used, &state);
        if (length == (size_t)-2 && used < sizeof buffer)
            continue;
        if (length == (size_t)-1 || length == (size_t)-2)
            *wide = (wchar_t)(unsigned char)buffer[0];
        return 1;
    }
}

/* The word before the cursor is completed as far as it is certain; else the choices are shown. */
static unsigned char complete(EditLine *edit, int character)
{
    struct terminal *terminal = terminal_of(edit);
    const LineInfo *info = el_line(edit);
    struct completion completion;
    unsigned char result = CC_ERROR;
    size_t i;

    (void)character;
    if (complete_line(terminal->repl, info->buffer, (size_t)(info->cursor - info->buffer),
                      &completion))
        return CC_ERROR;
    if (completion.insert[0] && el_insertstr(edit, completion.insert) == 0) {
        result = CC_REFRESH;
    } else if (completion.count > 1) {
        for (i = 0; i < completion.count; i++)
            repl_say(terminal->repl, "%s", completion.choices[i]);
        result = CC_NORM;
    }
    complete_done(&completion);
    return result;
}

struct terminal *terminal_create(struct repl *repl)
{
    struct terminal *terminal = calloc(1, sizeof *terminal);
    HistEvent event;

    if (!terminal)
        return NULL;
    terminal->repl = repl;
    terminal->edit = el_init(repl->options.program, stdin, stdout, stderr);
    terminal->history = history_init();
    if (!terminal->edit || !terminal->history) {
        terminal_destroy(terminal);
        return NULL;
    }
    el_set(terminal->edit, EL_CLIENTDATA, terminal);
    el_set(terminal->edit, EL_PROMPT, make_prompt);
    el_set(terminal->edit, EL_EDITOR, "emacs");
    el_set(terminal->edit, EL_SIGNAL, 0);
    el_set(terminal->edit, EL_GETCFN, next_char);
    history(terminal->history, &event, H_SETSIZE, HISTORY_MAX);
    el_set(terminal->edit, EL_HIST, history, terminal->history);
    /* The wide call, since el_set copies the two strings and loses the copies. */
    el_wset(terminal->edit, EL_ADDFN, L"weir-complete", L"complete the word", complete);
    el_set(terminal->edit, EL_BIND, "^I", "weir-complete", NULL);
    el_set(terminal->edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    return terminal;
}

void terminal_destroy(struct terminal *terminal)
{
    if (!terminal)
        return;
    if (terminal->edit)
        el_end(terminal->edit);
    if (terminal->history)
        history_end(terminal->history);
    free(terminal->line);
    free(terminal);
}

/* The editor has given up: Ctrl-C throws away what is typed, and ends the node if that is nothing. */
static bool is_over(struct terminal *terminal, size_t typed)
{
    if (terminal->repl->quit)
        return true;
    if (!terminal->repl->interrupted)
        return true; /* Ctrl-D */
    terminal->repl->interrupted = false;
    if (typed)
        return false;
    terminal->repl->quit = true;
    return true;
}

char *terminal_line(struct terminal *terminal)
{
    HistEvent event;

    terminal->repl->interrupted = false; /* that was for the last command */
    for (;;) {
        const LineInfo *info;
        const char *line;
        int count = 0;

        terminal->editing = true;
        line = el_gets(terminal->edit, &count);
        terminal->editing = false;
        if (line && count > 0 && !terminal->repl->interrupted && !terminal->repl->quit)
            break;
        info = el_line(terminal->edit);
        if (write(STDOUT_FILENO, "\n", 1) != 1 ||
            is_over(terminal, (size_t)(info->lastchar - info->buffer)))
            return NULL;
        el_reset(terminal->edit);
    }
    free(terminal->line);
    terminal->line = strdup(terminal->edit ? el_line(terminal->edit)->buffer : "");
    if (terminal->line)
        terminal->line[strcspn(terminal->line, "\n")] = '\0';
    if (terminal->line && terminal->line[strspn(terminal->line, " \t")])
        history(terminal->history, &event, H_ENTER, terminal->line);
    return terminal->line;
}

void terminal_hide(struct terminal *terminal)
{
    static const char clear[] = "\r\033[K";

    if (!terminal->editing)
        return;
    fflush(stdout);
    terminal->hidden = write(STDOUT_FILENO, clear, sizeof clear - 1) > 0;
}

void terminal_show(struct terminal *terminal)
{
    if (!terminal->editing || !terminal->hidden)
        return;
    terminal->hidden = false;
    el_set(terminal->edit, EL_REFRESH);
    fflush(stdout);
}

weir_time terminal_deadline(const struct terminal *terminal)
{
    if (!terminal->editing || !transfers_busy(terminal->repl))
        return WEIR_NEVER;
    return terminal->progress_due;
}

void terminal_expire(struct terminal *terminal, weir_time now)
{
    terminal->progress_due = now + PROGRESS_INTERVAL;
    terminal_hide(terminal);
    terminal_show(terminal);
}
