/* What people see: errors, tables, colours; and small helpers to build JSON. */

#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

static struct {
    bool colour;
    size_t width; /* of the terminal; 0: not a terminal */
    int error;    /* errno of the first failed write to standard output */
} output;

bool
cli_has_colour_on(int file)
{
    const char *no_colour = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(file) != 0 && (no_colour == NULL || *no_colour == '\0') &&
           (term == NULL || strcmp(term, "dumb") != 0);
}

void
cli_output_init(void)
{
    if (!isatty(STDOUT_FILENO))
        return;
    struct winsize size = { 0 };
    output.width =
        ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
    output.colour = cli_has_colour_on(STDOUT_FILENO);
}

const char *
cli_style_on(cli_style style)
{
    static const char *const begin[] = { "",         "\033[1m",  "\033[2m",
                                         "\033[32m", "\033[33m", "\033[31m" };
    return output.colour ? begin[style] : "";
}

const char *
cli_style_off(cli_style style)
{
    return output.colour && style != CLI_PLAIN ? "\033[0m" : "";
}

bool
cli_flush(void)
{
    if (output.error == 0 && (fflush(stdout) != 0 || ferror(stdout) != 0))
        output.error = errno != 0 ? errno : EIO;
    return output.error == 0;
}

int
cli_output_close(int exit_code)
{
    if (cli_flush())
        return exit_code;
    if (output.error == EPIPE)
        return exit_code; /* the reader has seen enough, as in `arvo ps | head` */
    cli_error("standard output: %s", strerror(output.error));
    return CLI_TRANSACTION;
}

/* ---- Errors ---- */

int
cli_exit_code(arvo_status status)
{
    switch (status) {
    case ARVO_OK:
        return CLI_DONE;
    case ARVO_E_CONTRACT:
    case ARVO_E_CONFIG:
    case ARVO_E_EXECUTION:
        return CLI_NO;
    case ARVO_E_INVALID:
    case ARVO_E_MALFORMED:
    case ARVO_E_UNSUPPORTED:
    case ARVO_E_EXISTS:
        return CLI_USAGE;
    default:
        return CLI_TRANSACTION;
    }
}

void
cli_error(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    (void)fflush(stdout); /* so that a trace and its error come in order */
    fprintf(stderr, "arvo: %s\n", cli_shown(arvo_str_from(text)));
}

int
cli_fail(const arvo_error *err)
{
    cli_error("%s", err->text[0] != '\0' ? err->text : arvo_status_text(err->status));
    return cli_exit_code(err->status);
}

/* ---- Text ---- */

bool
cli_number_read(const char *text, uint64_t max, uint64_t *out, const char **out_end)
{
    char *end = NULL;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    *out_end = end;
    return errno == 0 && *out <= max;
}

const char *
cli_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    const int len = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    char *text = arvo_arena_alloc(cli_arena(), len > 0 ? (size_t)len + 1 : 1);
    cli_check_memory();
    va_start(arguments, format);
    (void)vsnprintf(text, len > 0 ? (size_t)len + 1 : 1, format, arguments);
    va_end(arguments);
    return text;
}

const char *
cli_cstr(arvo_str text)
{
    if (text.ptr == NULL)
        return "";
    const arvo_str copy = arvo_arena_str_dup(cli_arena(), text);
    cli_check_memory();
    return copy.ptr;
}

/* C0, DEL and (in UTF-8) C1 control characters can move the cursor or change colours. */
const char *
cli_shown(arvo_str text)
{
    size_t hidden = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        hidden += c < 0x20 || c == 0x7f || c == 0xc2;
    }
    char *shown = arvo_arena_alloc(cli_arena(), text.len + hidden * 4 + 1);
    cli_check_memory();
    size_t len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.ptr[i];
        const bool c1 = c == 0xc2 && i + 1 < text.len && (unsigned char)text.ptr[i + 1] < 0xa0;
        if (c >= 0x20 && c != 0x7f && !c1) {
            shown[len++] = text.ptr[i];
            continue;
        }
        const unsigned char code = c1 ? (unsigned char)text.ptr[++i] : c;
        len += (size_t)snprintf(shown + len, 5, "\\x%02x", code);
    }
    shown[len] = '\0';
    return shown;
}

const char *
cli_quoted(arvo_str text)
{
    char *quoted = arvo_arena_alloc(cli_arena(), text.len * 4 + 3);
    cli_check_memory();
    size_t len = 0;
    bool plain = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        plain = plain && strchr(" \t\n'\"\\$`!*?[]{}()<>|&;#~", text.ptr[i]) == NULL;
    if (plain)
        return cli_cstr(text);
    quoted[len++] = '\'';
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '\'') {
            memcpy(quoted + len, "'\\'", 3);
            len += 3;
        }
        quoted[len++] = text.ptr[i];
    }
    quoted[len++] = '\'';
    quoted[len] = '\0';
    return quoted;
}

size_t
cli_width(const char *text)
{
    size_t width = 0;
    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80; /* not a continuation byte */
    return width;
}

size_t
cli_columns(void)
{
    const size_t columns = output.width != 0 ? output.width : CLI_DRAW_COLUMNS;
    return columns > CLI_DRAW_COLUMNS_MIN ? columns : CLI_DRAW_COLUMNS_MIN;
}

int
cli_text_order(arvo_str a, arvo_str b)
{
    const size_t len = a.len < b.len ? a.len : b.len;
    const int order = len > 0 ? memcmp(a.ptr, b.ptr, len) : 0;
    return order != 0 ? order : a.len < b.len ? -1 : a.len > b.len;
}

void
cli_markup(arvo_buf *out, arvo_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const char c = text.ptr[i];
        if (c == '<' || c == '>' || c == '&' || c == '"')
            arvo_buf_printf(out, "&#%d;", c);
        else
            arvo_buf_append_char(out, c);
    }
}

static void
state_append(arvo_buf *out, const arvo_json *value)
{
    if (arvo_json_type_of(value) == ARVO_JSON_STRING) {
        arvo_buf_append_str(out, arvo_json_str(value));
        return;
    }
    const size_t count = arvo_json_count(value);
    for (size_t i = 0; i < count; i++) {
        arvo_buf_append_str(
            out, i > 0       ? ARVO_STR(" | ")
                 : count > 1 ? ARVO_STR("(")
                             : ARVO_STR(""));
        arvo_buf_append_str(out, arvo_json_key_at(value, i));
        const arvo_json *child = arvo_json_at(value, i);
        if (arvo_json_type_of(child) == ARVO_JSON_STRING || arvo_json_count(child) > 0) {
            arvo_buf_append_char(out, '.');
            state_append(out, child);
        }
    }
    if (count > 1)
        arvo_buf_append_char(out, ')');
}

const char *
cli_state_text(const arvo_json *value)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    state_append(&text, value);
    const char *shown = cli_shown(arvo_buf_str(&text));
    arvo_buf_fini(&text);
    return shown;
}

const char *
cli_domains_text(arvo_str domains)
{
    const arvo_json *list = cli_json_text(domains);
    const char *names = "";
    for (size_t i = 0; i < arvo_json_count(list); i++)
        names = cli_printf(
            "%s%s%s", names, i > 0 ? ", " : "", cli_shown(arvo_json_str(arvo_json_at(list, i))));
    return names;
}

/* ---- Tables ---- */

/* The last cell of a row, cut with an ellipsis at the edge of the terminal. */
static void
table_print_last(const char *cell, size_t used)
{
    if (output.width == 0 || used + cli_width(cell) <= output.width) {
        printf("%s", cell);
        return;
    }
    const size_t room = output.width > used + 1 ? output.width - used - 1 : 0;
    size_t columns = 0;
    for (; *cell != '\0'; cell++) {
        if (((unsigned char)*cell & 0xc0) != 0x80 && columns++ == room)
            break;
        putchar(*cell);
    }
    printf("…");
}

static void
table_print_page(const cli_table *table)
{
    size_t widths[CLI_COLUMNS_MAX] = { 0 };
    for (size_t i = 0; i < table->rows * table->columns; i++) {
        const size_t width = cli_width(table->cells[i]);
        if (width > widths[i % table->columns])
            widths[i % table->columns] = width;
    }
    for (size_t row = 0; row < table->rows; row++) {
        const cli_style style = row == 0 ? CLI_BOLD : CLI_PLAIN;
        size_t used = 0;
        printf("%s", cli_style_on(style));
        for (size_t column = 0; column < table->columns; column++) {
            const char *cell = table->cells[row * table->columns + column];
            if (column + 1 == table->columns) {
                table_print_last(cell, used);
                break;
            }
            printf("%s%*s", cell, (int)(widths[column] - cli_width(cell) + 2), "");
            used += widths[column] + 2;
        }
        printf("%s\n", cli_style_off(style));
    }
}

static void
table_open(cli_table *table)
{
    table->arena = arvo_arena_new(NULL);
    if (table->arena != NULL)
        table->cells =
            arvo_arena_calloc(table->arena, CLI_PAGE_ROWS * table->columns, sizeof(*table->cells));
    if (table->cells == NULL) {
        cli_error("output: %s", arvo_status_text(ARVO_E_NOMEM));
        exit(CLI_TRANSACTION);
    }
}

void
cli_table_row(cli_table *table, ...)
{
    if (table->arena == NULL)
        table_open(table);
    if (table->rows == 1)
        table->body = arvo_arena_mark_get(table->arena);
    if (table->rows == CLI_PAGE_ROWS) {
        table_print_page(table);
        arvo_arena_rewind(table->arena, table->body);
        table->rows = 1; /* the head stays */
    }
    const arvo_arena_mark mark = arvo_arena_mark_get(cli_arena());
    va_list arguments;
    va_start(arguments, table);
    for (size_t i = 0; i < table->columns; i++) {
        const char *shown = cli_shown(arvo_str_from(va_arg(arguments, const char *)));
        const arvo_str cell = arvo_arena_str_dup(table->arena, arvo_str_from(shown));
        table->cells[table->rows * table->columns + i] = cell.ptr != NULL ? cell.ptr : "";
    }
    va_end(arguments);
    arvo_arena_rewind(cli_arena(), mark);
    table->rows++;
}

void
cli_table_free(cli_table *table)
{
    arvo_arena_free(table->arena);
    *table = (cli_table){ .columns = table->columns };
}

void
cli_table_print(cli_table *table)
{
    if (table->rows > 0)
        table_print_page(table);
    cli_table_free(table);
}

/* ---- JSON ---- */

static void
json_print(const arvo_json *value, unsigned indent)
{
    arvo_buf text = ARVO_BUF_INIT(ARVO_BUF_BYTES_MAX_DEFAULT);
    cli_check_memory();
    if (indent > 0)
        arvo_json_write_pretty(value, indent, &text);
    else
        arvo_json_write(value, &text);
    arvo_buf_append_char(&text, '\n');
    if (text.status != ARVO_OK) {
        arvo_buf_fini(&text);
        cli_error("output: %s", arvo_status_text(ARVO_E_NOMEM));
        exit(CLI_TRANSACTION);
    }
    (void)fwrite(text.ptr, 1, text.len, stdout);
    arvo_buf_fini(&text);
}

void
cli_print_json(const arvo_json *value)
{
    json_print(value, 0);
}

void
cli_print_pretty(const arvo_json *value)
{
    json_print(value, 2);
}

const arvo_json *
cli_json_str(arvo_str text)
{
    return text.ptr != NULL ? arvo_json_string(cli_arena(), text) : arvo_json_null();
}

const arvo_json *
cli_json_cstr(const char *text)
{
    return cli_json_str(arvo_str_from(text));
}

/* A text that the store or the library wrote; damaged text is shown as a string, not hidden. */
const arvo_json *
cli_json_text(arvo_str text)
{
    if (text.ptr == NULL)
        return arvo_json_null();
    const arvo_json *value = NULL;
    if (arvo_json_parse(text, cli_arena(), &value, NULL) == ARVO_OK)
        return value;
    return arvo_json_string(cli_arena(), text);
}

const arvo_json *
cli_json_time(int64_t time_ms)
{
    char text[ARVO_TIMESTAMP_BYTES];
    arvo_timestamp_format(time_ms, text);
    return arvo_json_string(cli_arena(), (arvo_str){ text, sizeof(text) });
}

void
cli_set(arvo_json *object, const char *key, const arvo_json *value)
{
    arvo_json_set(cli_arena(), object, arvo_str_from(key), value);
}
