/* arvo/diagram.h - a machine as a picture: DOT, Mermaid and SVG.
 *
 * States are boxes, nested as the states are; regions of a parallel state are
 * divided by dashed boxes; final states have a double border. A transition is
 * an arrow labelled `event [guard] / actions`; entry and exit actions and
 * transitions without a target stand inside their state. An emission names
 * the service that it calls. Long labels are wrapped and cut; DOT and SVG have
 * the whole text as a tooltip.
 *
 * DOT and Mermaid are pure text. SVG is laid out by Graphviz, in a process of
 * its own that is stopped when it takes too long.
 *
 * Threads: any number may draw at once, the same machine too.
 */
#ifndef ARVO_DIAGRAM_H
#define ARVO_DIAGRAM_H

#include <arvo/machine.h>

ARVO_BEGIN_DECLS

#define ARVO_DIAGRAM_STATES_MAX                                                                    \
    1000u                               /* of an SVG; the other formats have no limit of their own \
                                         */
#define ARVO_DIAGRAM_TIME_MS_MAX 60000u /* of an SVG's layout */
#define ARVO_DIAGRAM_BYTES_MAX   ((size_t)64 * 1024 * 1024)

typedef enum arvo_diagram_format {
    ARVO_DIAGRAM_DOT = 0, /* Graphviz: `dot -Tpng` and others read it */
    ARVO_DIAGRAM_MERMAID, /* stateDiagram-v2, as GitHub and GitLab show it in Markdown */
    ARVO_DIAGRAM_SVG      /* transparent, with colours for light and dark */
} arvo_diagram_format;

typedef struct arvo_diagram_opts {
    arvo_diagram_format format;
    bool left_to_right;     /* else from top to bottom */
    const arvo_json *value; /* state value whose states are lit up; NULL: none. Borrowed */
} arvo_diagram_opts;

/** Whether this build of the library can draw SVG (the option `graphviz`). */
ARVO_API bool arvo_diagram_has_svg(void);

/**
 * Append the picture of a machine to `out`.
 *
 * @param opts  Nullable: DOT, top to bottom, nothing lit.
 * @return ARVO_OK, ARVO_E_UNSUPPORTED (a custom machine has no chart; SVG in a build without
 *         Graphviz), ARVO_E_INCOMPATIBLE_STATE (`value` names a state that the machine has not),
 *         ARVO_E_TOO_BIG (a limit above), ARVO_E_TIMEOUT, ARVO_E_IO (Graphviz failed or could not
 *         be started), ARVO_E_NOMEM. `out` is as it was before after a failure.
 *         Law: the same machine and options give the same DOT and Mermaid text.
 */
ARVO_API ARVO_NODISCARD arvo_status arvo_diagram_write(
    const arvo_machine *machine, const arvo_diagram_opts *opts, arvo_buf *out, arvo_error *err);

ARVO_END_DECLS

#endif
