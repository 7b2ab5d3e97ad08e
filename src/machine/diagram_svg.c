/* Diagrams as SVG. Edge module: Graphviz.
 *
 * Graphviz keeps globals, leaks, prints, and may end the process or take for ever over a graph that
 * it does not like: it runs in a process of its own, with bounds, which answers
 *
 *   'o' and the picture, or 'e' and a message
 *
 * The picture gets a style sheet, so that one file is right on light and on dark pages. */

#include "machine/diagram.h"

#ifdef ARVO_HAVE_GRAPHVIZ

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <graphviz/cgraph.h>
#include <graphviz/gvc.h>

#include "base/internal.h"

#define PROCESS_BYTES ((rlim_t)2 * 1024 * 1024 * 1024) /* of data */
#define MESSAGE_BYTES 300u
#define ANSWER_FD     ARVO__CHILD_FD

bool
arvo_diagram_has_svg(void)
{
    return true;
}

/* ---- In the process of its own ---- */

/* Few commands draw, and Graphviz makes a start dearer by a third: it is opened here, not linked.
 */
static struct {
    __typeof__(agseterr) *agseterr;
    __typeof__(agseterrf) *agseterrf;
    __typeof__(agmemread) *agmemread;
    __typeof__(agsafeset) *agsafeset;
    __typeof__(gvContext) *gvContext;
    __typeof__(gvLayout) *gvLayout;
    __typeof__(gvRenderData) *gvRenderData;
} graphviz;

static bool
graphviz_open(void)
{
    const arvo__symbol cgraph[] = { { "agseterr", &graphviz.agseterr },
                                    { "agseterrf", &graphviz.agseterrf },
                                    { "agmemread", &graphviz.agmemread },
                                    { "agsafeset", &graphviz.agsafeset } };
    const arvo__symbol gvc[] = { { "gvContext", &graphviz.gvContext },
                                 { "gvLayout", &graphviz.gvLayout },
                                 { "gvRenderData", &graphviz.gvRenderData } };
    return arvo__library_open(ARVO_CGRAPH_LIBRARY, cgraph, ARVO_COUNT_OF(cgraph)) &&
           arvo__library_open(ARVO_GVC_LIBRARY, gvc, ARVO_COUNT_OF(gvc));
}

static char complaint[MESSAGE_BYTES]; /* Graphviz's callback has no context */

static int
on_complaint(char *text)
{
    const size_t used = strlen(complaint);
    size_t len = strlen(text);
    if (len > sizeof(complaint) - 1 - used)
        len = sizeof(complaint) - 1 - used;
    memcpy(complaint + used, text, len);
    complaint[used + len] = '\0';
    return 0;
}

_Noreturn static void
answer(char kind, const char *bytes, size_t len)
{
    ssize_t done = write(ANSWER_FD, &kind, 1);
    while (len > 0 && done > 0) {
        done = write(ANSWER_FD, bytes, len);
        bytes += done > 0 ? done : 0;
        len -= done > 0 ? (size_t)done : 0;
    }
    _exit(0);
}

/* Nothing of its owner's but the pipe, and an end whatever happens. */
static void
stand_alone(int fd)
{
    arvo__child_stand_alone(fd, NULL, 0);
#ifndef ARVO__ARENA_GUARDED /* AddressSanitizer's own memory is more */
    const struct rlimit data = { PROCESS_BYTES, PROCESS_BYTES };
    (void)setrlimit(RLIMIT_DATA, &data);
#endif
    (void)alarm(ARVO_DIAGRAM_TIME_MS_MAX / 1000);
}

_Noreturn static void
lay_out(const char *dot)
{
    static const char absent[] =
        ARVO_GVC_LIBRARY " is not there: install Graphviz (Debian: libgvc6), or write .dot or .mmd";
    char *svg = NULL;
    unsigned len = 0;
    if (!graphviz_open())
        answer('e', absent, sizeof(absent) - 1);
    (void)graphviz.agseterr(AGERR);
    (void)graphviz.agseterrf(on_complaint);
    GVC_t *const context = graphviz.gvContext();
    Agraph_t *const graph = graphviz.agmemread(dot);
    if (context != NULL && graph != NULL) {
        static char name[] = "bgcolor";
        static char value[] = "transparent";
        static char standard[] = "";
        (void)graphviz.agsafeset(graph, name, value, standard);
        if (graphviz.gvLayout(context, graph, "dot") == 0 &&
            graphviz.gvRenderData(context, graph, "svg", &svg, &len) == 0 && svg != NULL)
            answer('o', svg, len);
    }
    answer('e', complaint, strlen(complaint));
}

/* ---- The style sheet ---- */

/* Presentation attributes give way to any rule of a style sheet. */
static const char style[] = "<style>\n"
                            "svg { color-scheme: light dark; }\n"
                            "text { fill: #1f2328; }\n"
                            ".edge text { fill: #3d444d; }\n"
                            ".edge.error text { fill: #a12d20; }\n"
                            "@media (prefers-color-scheme: dark) {\n"
                            "  text { fill: #e6edf3; }\n"
                            "  .node path { stroke: #9198a1; }\n"
                            "  .node path:not([fill=none]) { fill: #21262d; }\n"
                            "  .node.initial ellipse { fill: #9198a1; stroke: #9198a1; }\n"
                            "  .node.history ellipse { fill: #21262d; stroke: #9198a1; }\n"
                            "  .cluster path { stroke: #6e7681; }\n"
                            "  .edge path { stroke: #9198a1; }\n"
                            "  .edge polygon { stroke: #9198a1; fill: #9198a1; }\n"
                            "  .edge text { fill: #c9d1d9; }\n"
                            "  .edge.error path { stroke: #ff7b72; }\n"
                            "  .edge.error polygon { stroke: #ff7b72; fill: #ff7b72; }\n"
                            "  .edge.error text { fill: #ffa198; }\n"
                            "  .node.active path { stroke: #ffa94d; }\n"
                            "  .node.active path:not([fill=none]) { fill: #5a3a00; }\n"
                            "  .cluster.active path { stroke: #ffa94d; }\n"
                            "}\n"
                            "</style>\n";

static size_t
find(arvo_str text, size_t from, const char *what)
{
    const char *const found =
        from < text.len ? memmem(text.ptr + from, text.len - from, what, strlen(what)) : NULL;
    return found != NULL ? (size_t)(found - text.ptr) : SIZE_MAX;
}

/* Names that only Graphviz needs are not for people: titles of boxes lose their "cluster_". */
static void
put_body(arvo_str svg, arvo_buf *out)
{
    static const char mark[] = "<title>cluster_";
    static const size_t keep = sizeof("<title>") - 1;
    size_t from = 0;
    for (;;) {
        const size_t at = find(svg, from, mark);
        if (at == SIZE_MAX)
            break;
        arvo_buf_append(out, svg.ptr + from, at + keep - from);
        from = at + sizeof(mark) - 1;
    }
    arvo_buf_append(out, svg.ptr + from, svg.len - from);
}

/* From "<svg ...>" on, with the style sheet behind it; what stands before names a DTD on the web.
 */
static arvo_status
picture_finish(arvo_str svg, arvo_buf *out, arvo_error *err)
{
    const size_t begin = find(svg, 0, "<svg");
    const size_t end = begin != SIZE_MAX ? find(svg, begin, ">") : SIZE_MAX;
    if (end == SIZE_MAX || find(svg, end, "</svg>") == SIZE_MAX)
        return arvo__fail(
            err, ARVO_E_IO,
            "Graphviz ended before the picture was whole; write .dot instead, and see what "
            "`dot -Tsvg` says");
    arvo_buf_append(out, svg.ptr + begin, end + 1 - begin);
    arvo_buf_append_str(out, ARVO_STR("\n"));
    arvo_buf_append_str(out, arvo_str_from(style));
    put_body((arvo_str){ svg.ptr + end + 1, svg.len - end - 1 }, out);
    return arvo__buf_status(out, "the diagram", err);
}

/* ---- In the caller's process ---- */

static bool
answer_read(int fd, arvo_buf *out)
{
    for (;;) {
        char *const room = arvo_buf_reserve(out, (size_t)64 * 1024);
        if (room == NULL)
            return false;
        const ssize_t got = read(fd, room, (size_t)64 * 1024);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        out->len += (size_t)got;
    }
}

static arvo_status
answer_use(arvo_str text, int wait_status, arvo_buf *out, arvo_error *err)
{
    if (WIFSIGNALED(wait_status) && WTERMSIG(wait_status) == SIGALRM)
        return arvo__fail(
            err, ARVO_E_TIMEOUT,
            "laying out the picture takes more than %u seconds; write .dot, and lay it out with a "
            "tool for large graphs (sfdp, say)",
            ARVO_DIAGRAM_TIME_MS_MAX / 1000);
    if (text.len > 0 && text.ptr[0] == 'e')
        return arvo__fail(
            err, ARVO_E_IO, "Graphviz cannot draw this: %.*s",
            (int)(text.len > 1 ? text.len - 1 : 0), text.ptr + 1);
    return picture_finish(text, out, err);
}

arvo_status
arvo__diagram_svg(const arvo_allocator *allocator, arvo_str dot, arvo_buf *out, arvo_error *err)
{
    int ends[2];
    arvo_buf text = ARVO_BUF_INIT(ARVO_DIAGRAM_BYTES_MAX);
    text.allocator = allocator;
    arvo_buf_append_str(&text, dot);
    arvo_buf_append_char(&text, '\0'); /* agmemread() wants it */
    if (text.status != ARVO_OK || pipe2(ends, O_CLOEXEC) != 0) {
        const arvo_status st = arvo__buf_status(&text, "the diagram", err);
        arvo_buf_fini(&text);
        return st != ARVO_OK ? st : arvo__fail(err, ARVO_E_IO, "no pipe: %s", strerror(errno));
    }
    const pid_t pid = fork();
    if (pid == 0) {
        stand_alone(ends[1]);
        lay_out(text.ptr);
    }
    const int failure = errno;
    int wait_status = 0;
    (void)close(ends[1]);
    arvo_buf_reset(&text);
    const bool is_read = pid > 0 && answer_read(ends[0], &text);
    (void)close(ends[0]);
    while (pid > 0 && waitpid(pid, &wait_status, 0) < 0 && errno == EINTR)
        continue;
    arvo_status st = arvo__buf_status(&text, "the diagram", err);
    if (pid < 0)
        st = arvo__fail(err, ARVO_E_IO, "no process for Graphviz: %s", strerror(failure));
    else if (st == ARVO_OK && !is_read)
        st = arvo__fail(err, ARVO_E_IO, "Graphviz's answer cannot be read");
    if (st == ARVO_OK)
        st = answer_use(arvo_buf_str(&text), wait_status, out, err);
    arvo_buf_fini(&text);
    return st;
}

#else

bool
arvo_diagram_has_svg(void)
{
    return false;
}

arvo_status
arvo__diagram_svg(const arvo_allocator *allocator, arvo_str dot, arvo_buf *out, arvo_error *err)
{
    (void)allocator;
    (void)dot;
    (void)out;
    return arvo__fail(
        err, ARVO_E_UNSUPPORTED,
        "built without Graphviz: install libgraphviz-dev and build again, or write .dot or .mmd "
        "instead");
}

#endif
