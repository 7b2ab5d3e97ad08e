/* OTLP messages, as protobuf and as JSON, by one set of calls.
 *
 * The wire form of protobuf is small: a member is a tag (number * 8 + type) and
 * a varint, 4 or 8 bytes, or a length and bytes. Only what OTLP's requests need
 * is here. In JSON ids are hexadecimal and 64-bit integers are strings, as the
 * OTLP specification has it.
 */

#include "telemetry/otlp_internal.h"

#include <math.h>

#include "json/number.h"

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

static size_t
varint_format(uint64_t value, char out[10])
{
    size_t len = 0;
    for (; value >= 0x80; value >>= 7)
        out[len++] = (char)(value | 0x80);
    out[len++] = (char)value;
    return len;
}

static void
write_varint(otlp_writer *w, uint64_t value)
{
    char bytes[10];
    arvo_buf_append(w->out, bytes, varint_format(value, bytes));
}

static void
write_little_endian(otlp_writer *w, uint64_t value, size_t len)
{
    char bytes[8];
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(value >> (8 * i));
    arvo_buf_append(w->out, bytes, len);
}

/* What stands before the value of a member: in JSON a comma and the name. */
static void
write_tag(otlp_writer *w, otlp_field field, unsigned type)
{
    if (!w->json) {
        write_varint(w, (uint64_t)field.number << 3 | type);
        return;
    }
    otlp_frame *frame = &w->frames[w->depth - 1];
    if (frame->has_member)
        arvo_buf_append_char(w->out, ',');
    frame->has_member = true;
    if (frame->is_list)
        return;
    arvo_buf_append_char(w->out, '"');
    arvo_buf_append_str(w->out, arvo_str_from(field.name));
    arvo_buf_append_str(w->out, ARVO_STR("\":"));
}

static void
push_frame(otlp_writer *w, bool is_list)
{
    ARVO_ASSERT(w->depth < OTLP_DEPTH_MAX);
    w->frames[w->depth++] = (otlp_frame){ .is_list = is_list, .start = w->out->len };
}

void
arvo__otlp_open(otlp_writer *w, arvo_buf *out, bool json)
{
    *w = (otlp_writer){ .out = out, .json = json };
    push_frame(w, false);
    if (json)
        arvo_buf_append_char(out, '{');
}

void
arvo__otlp_close_message(otlp_writer *w)
{
    ARVO_ASSERT(w->depth == 1);
    w->depth = 0;
    if (w->json)
        arvo_buf_append_char(w->out, '}');
}

void
arvo__otlp_list(otlp_writer *w, otlp_field field)
{
    if (w->json) {
        write_tag(w, field, WIRE_BYTES);
        arvo_buf_append_char(w->out, '[');
    }
    push_frame(w, true);
}

void
arvo__otlp_list_end(otlp_writer *w)
{
    w->depth--;
    if (w->json)
        arvo_buf_append_char(w->out, ']');
}

/* The length of a message is known at its end: one byte is kept for it, and the message moved when
 * that is too little. */
void
arvo__otlp_begin(otlp_writer *w, otlp_field field)
{
    write_tag(w, field, WIRE_BYTES);
    arvo_buf_append_char(w->out, w->json ? '{' : '\0');
    push_frame(w, false);
}

void
arvo__otlp_end(otlp_writer *w)
{
    const size_t start = w->frames[--w->depth].start;
    if (w->json) {
        arvo_buf_append_char(w->out, '}');
        return;
    }
    if (w->out->status != ARVO_OK)
        return;
    char bytes[10];
    const size_t len = w->out->len - start;
    const size_t count = varint_format(len, bytes);
    if (count > 1) {
        if (arvo_buf_reserve(w->out, count - 1) == NULL)
            return;
        memmove(w->out->ptr + start + count - 1, w->out->ptr + start, len);
        w->out->len += count - 1;
    }
    memcpy(w->out->ptr + start - 1, bytes, count);
}

void
arvo__otlp_str(otlp_writer *w, otlp_field field, arvo_str value)
{
    write_tag(w, field, WIRE_BYTES);
    if (w->json) {
        arvo_json_write_str(value.ptr != NULL ? value : ARVO_STR(""), w->out);
    } else {
        write_varint(w, value.len);
        arvo_buf_append(w->out, value.ptr, value.len);
    }
}

void
arvo__otlp_id(otlp_writer *w, otlp_field field, const uint8_t *bytes, size_t len)
{
    write_tag(w, field, WIRE_BYTES);
    if (!w->json) {
        write_varint(w, len);
        arvo_buf_append(w->out, bytes, len);
        return;
    }
    arvo_buf_append_char(w->out, '"');
    char *hex = arvo_buf_reserve(w->out, 2 * len);
    if (hex != NULL) {
        arvo__hex(bytes, len, hex);
        w->out->len += 2 * len;
    }
    arvo_buf_append_char(w->out, '"');
}

static void
write_fixed64(otlp_writer *w, uint64_t value)
{
    if (w->json)
        arvo_buf_printf(w->out, "\"%llu\"", (unsigned long long)value);
    else
        write_little_endian(w, value, 8);
}

void
arvo__otlp_fixed64(otlp_writer *w, otlp_field field, uint64_t value)
{
    write_tag(w, field, WIRE_FIXED64);
    write_fixed64(w, value);
}

void
arvo__otlp_fixed32(otlp_writer *w, otlp_field field, uint32_t value)
{
    write_tag(w, field, WIRE_FIXED32);
    if (w->json)
        arvo_buf_printf(w->out, "%u", value);
    else
        write_little_endian(w, value, 4);
}

void
arvo__otlp_u32(otlp_writer *w, otlp_field field, uint32_t value)
{
    write_tag(w, field, WIRE_VARINT);
    if (w->json)
        arvo_buf_printf(w->out, "%u", value);
    else
        write_varint(w, value);
}

void
arvo__otlp_i64(otlp_writer *w, otlp_field field, int64_t value)
{
    write_tag(w, field, WIRE_VARINT);
    if (w->json)
        arvo_buf_printf(w->out, "\"%lld\"", (long long)value);
    else
        write_varint(w, (uint64_t)value);
}

static void
write_number(arvo_buf *out, double value)
{
    char text[ARVO__NUMBER_TEXT_MAX];
    arvo_buf_append(out, text, arvo__number_format(value, text));
}

static void
write_double(otlp_writer *w, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    if (!w->json)
        write_little_endian(w, bits, 8);
    else if (isfinite(value))
        write_number(w->out, value);
    else
        arvo_buf_append_str(
            w->out, isnan(value) ? ARVO_STR("\"NaN\"")
                    : value > 0  ? ARVO_STR("\"Infinity\"")
                                 : ARVO_STR("\"-Infinity\""));
}

void
arvo__otlp_double(otlp_writer *w, otlp_field field, double value)
{
    write_tag(w, field, WIRE_FIXED64);
    write_double(w, value);
}

void
arvo__otlp_bool(otlp_writer *w, otlp_field field, bool value)
{
    write_tag(w, field, WIRE_VARINT);
    if (w->json)
        arvo_buf_append_str(w->out, value ? ARVO_STR("true") : ARVO_STR("false"));
    else
        write_varint(w, value);
}

/* What stands before and between packed numbers of eight bytes, and behind them. */
static void
write_packed_head(otlp_writer *w, otlp_field field, size_t count)
{
    write_tag(w, field, WIRE_BYTES);
    if (w->json)
        arvo_buf_append_char(w->out, '[');
    else
        write_varint(w, 8 * count);
}

static void
write_packed_sign(otlp_writer *w, char sign)
{
    if (w->json)
        arvo_buf_append_char(w->out, sign);
}

void
arvo__otlp_fixed64s(otlp_writer *w, otlp_field field, const uint64_t *values, size_t count)
{
    write_packed_head(w, field, count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            write_packed_sign(w, ',');
        write_fixed64(w, values[i]);
    }
    write_packed_sign(w, ']');
}

void
arvo__otlp_doubles(otlp_writer *w, otlp_field field, const double *values, size_t count)
{
    write_packed_head(w, field, count);
    for (size_t i = 0; i < count; i++) {
        if (i > 0)
            write_packed_sign(w, ',');
        write_double(w, values[i]);
    }
    write_packed_sign(w, ']');
}
