/* Trees and bars of time in text, for a terminal or a file. */

#include "cli.h"

#include <stdlib.h>
#include <strings.h>
#include <time.h>

#define BAR_CELLS_MAX 200u

#define SECOND_NS INT64_C(1000000000)

/* ---- Time ---- */

const char *
cli_duration(int64_t ns)
{
    static const struct {
        const char *large, *small;
        int64_t large_ns, small_ns;
    } units[] = { { "d", "h", 86400 * SECOND_NS, 3600 * SECOND_NS },
                  { "h", "min", 3600 * SECOND_NS, 60 * SECOND_NS },
                  { "min", "s", 60 * SECOND_NS, SECOND_NS } };
    for (size_t i = 0; i < ARVO_COUNT_OF(units); i++)
        if (ns >= units[i].large_ns)
            return cli_printf(
                "%lld %s %02lld %s", (long long)(ns / units[i].large_ns), units[i].large,
                (long long)(ns % units[i].large_ns / units[i].small_ns), units[i].small);
    if (ns >= SECOND_NS)
        return cli_printf("%.2f s", (double)ns / 1e9);
    return cli_printf(ns < 10000000 ? "%.3f ms" : "%.0f ms", (double)ns / 1e6);
}

const char *
cli_duration_ms(int64_t ms)
{
    if (ms >= 0 && ms < 1000)
        return cli_printf("%lld ms", (long long)ms);
    return cli_duration(ms > INT64_MAX / 1000000 ? INT64_MAX : ms * 1000000);
}

/* `+hh:mm`, `-hh:mm` or `Z`, in seconds. */
static bool
offset_parse(const char *text, int64_t *out)
{
    unsigned digits[4];
    *out = 0;
    if ((text[0] == 'Z' || text[0] == 'z') && text[1] == '\0')
        return true;
    if ((text[0] != '+' && text[0] != '-') || strlen(text) != 6 || text[3] != ':')
        return false;
    for (size_t i = 0; i < 4; i++) {
        const char c = text[i < 2 ? i + 1 : i + 2];
        if (c < '0' || c > '9')
            return false;
        digits[i] = (unsigned)(c - '0');
    }
    *out = (int64_t)(digits[0] * 10 + digits[1]) * 3600 + (digits[2] * 10 + digits[3]) * 60;
    *out = text[0] == '-' ? -*out : *out;
    return true;
}

bool
cli_time_parse(arvo_str text, int64_t *out_ms)
{
    struct tm parts = { 0 };
    int64_t offset = 0;
    int64_t ms = 0;
    const char *rest = arvo_timestamp_is_valid(text)
                           ? strptime(cli_cstr(text), "%Y-%m-%dT%H:%M:%S", &parts)
                           : NULL;
    if (rest != NULL && *rest == '.') {
        int64_t scale = 100;
        for (rest++; *rest >= '0' && *rest <= '9'; rest++, scale /= 10)
            ms += (*rest - '0') * scale;
    }
    if (rest == NULL || !offset_parse(rest, &offset))
        return false;
    *out_ms = ((int64_t)timegm(&parts) - offset) * 1000 + ms;
    return true;
}

int64_t
cli_age_ms(const char *text)
{
    static const struct {
        char letter;
        int64_t ms;
    } units[] = { { 's', 1000 },
                  { 'm', 60000 },
                  { 'h', 3600000 },
                  { 'd', 86400000 },
                  { 'w', 7 * (int64_t)86400000 } };
    int64_t number = 0;
    size_t i = 0;
    for (; text[i] >= '0' && text[i] <= '9' && i < 7; i++)
        number = number * 10 + (text[i] - '0');
    for (size_t k = 0; i > 0 && k < ARVO_COUNT_OF(units); k++) {
        if (text[i] == units[k].letter && text[i + 1] == '\0')
            return number * units[k].ms;
    }
    return -1;
}

/* ---- Trees ---- */

bool
cli_is_utf8(void)
{
    static const char *const names[] = { "LC_ALL", "LC_CTYPE", "LANG" };
    for (size_t i = 0; i < ARVO_COUNT_OF(names); i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && *value != '\0')
            return strcasestr(value, "UTF-8") != NULL || strcasestr(value, "UTF8") != NULL;
    }
    return false;
}

cli_branch
cli_branch_of(const char *prefix, bool is_last, size_t columns)
{
    if (prefix == NULL)
        return (cli_branch){ "", "" };
    const bool is_utf8 = cli_is_utf8();
    const char *here = is_utf8 ? (is_last ? "└─ " : "├─ ") : (is_last ? "`- " : "|- ");
    const char *below = is_last ? "   " : is_utf8 ? "│  " : "|  ";
    return (cli_branch){ cli_printf("%s%s", prefix, here), cli_width(prefix) + 6 <= columns
                                                               ? cli_printf("%s%s", prefix, below)
                                                               : prefix };
}

const char *
cli_cut(const char *text, size_t columns, const char *mark)
{
    size_t len = 0;
    if (cli_width(text) <= columns)
        return text;
    for (size_t seen = 0; text[len] != '\0'; len++)
        if (((unsigned char)text[len] & 0xc0) != 0x80 && ++seen == columns)
            break;
    return cli_printf("%.*s%s", (int)len, text, mark);
}

const char *
cli_fit(const char *text, size_t columns)
{
    const char *cut = cli_cut(text, columns, cli_is_utf8() ? "…" : "~");
    return cli_printf("%s%*s", cut, (int)(columns - cli_width(cut)), "");
}

/* ---- Bars ---- */

struct bar {
    double begin, cell; /* the time at its left edge, and of one cell */
    size_t width;
    double worked[BAR_CELLS_MAX], waited[BAR_CELLS_MAX];
};

static size_t
bar_at(const struct bar *bar, double time)
{
    const double at = (time - bar->begin) / bar->cell;
    return at <= 0 ? 0 : at >= (double)bar->width ? bar->width - 1 : (size_t)at;
}

/* What has no length is seen all the same. */
static void
bar_add(struct bar *bar, const cli_part *part)
{
    double *const cells = part->is_wait ? bar->waited : bar->worked;
    const double from = (double)part->from;
    const double to = (double)part->to;
    for (size_t i = bar_at(bar, from); i <= bar_at(bar, to); i++) {
        const double left = bar->begin + (double)i * bar->cell;
        const double right = left + bar->cell;
        const double share = (to < right ? to : right) - (from > left ? from : left);
        cells[i] += share > 0 ? share : part->from == part->to ? bar->cell * 1e-6 : 0;
    }
}

const char *
cli_bar(const cli_part *parts, size_t count, int64_t from, int64_t to, size_t width)
{
    static const char *const glyphs[2][4] = { { " ", ".", "+", "#" }, { " ", "░", "▌", "█" } };
    struct bar bar = { .begin = (double)from,
                       .width = width < BAR_CELLS_MAX ? width : BAR_CELLS_MAX };
    const bool is_utf8 = cli_is_utf8();
    const char *text = "";
    if (bar.width == 0)
        return text;
    bar.cell = to > from ? ((double)to - (double)from) / (double)bar.width : 1;
    for (size_t i = 0; i < count; i++)
        bar_add(&bar, &parts[i]);
    size_t used = bar.width;
    while (used > 0 && bar.worked[used - 1] <= 0 && bar.waited[used - 1] <= 0)
        used--;
    for (size_t i = 0; i < used; i++) {
        const size_t glyph = bar.worked[i] >= bar.cell / 2 ? 3
                             : bar.worked[i] > 0           ? 2
                             : bar.waited[i] > 0           ? 1
                                                           : 0;
        text = cli_printf("%s%s", text, glyphs[is_utf8][glyph]);
    }
    return text;
}
