/* The built-in app: many events that meet at one workflow, workflows that start each other and ask
 * several services at once, and services that fail. JSON, with ' for ".
 */

#include "sim/internal.h"

/* clang-format off */

const char *const arvo__sim_contracts[] = {
    /* Services: what each accepts, and what it answers. */
    "{'kind':'contract','uri':'#/sim/feed','type':'com.sim.feed','versions':{'1.0.0':{"
    "  'accepts':{'type':'object','properties':{'want':{'type':'number'}},'required':['want']},"
    "  'emits':{'evt.sim.add':"
    "    {'type':'object','properties':{'n':{'type':'number'}},'required':['n']}}}}}",

    "{'kind':'contract','uri':'#/sim/north','type':'com.sim.north','versions':{'1.0.0':{"
    "  'accepts':{'type':'object','properties':{'item':{'type':'number'}},'required':['item']},"
    "  'emits':{'evt.sim.north':"
    "    {'type':'object','properties':{'price':{'type':'number'}},'required':['price']}}}}}",

    "{'kind':'contract','uri':'#/sim/south','type':'com.sim.south','versions':{'1.0.0':{"
    "  'accepts':{'type':'object','properties':{'item':{'type':'number'}},'required':['item']},"
    "  'emits':{'evt.sim.south':"
    "    {'type':'object','properties':{'price':{'type':'number'}},'required':['price']}}}}}",

    "{'kind':'contract','uri':'#/sim/stock','type':'com.sim.stock','versions':{'1.0.0':{"
    "  'accepts':{'type':'object','properties':{'item':{'type':'number'}},'required':['item']},"
    "  'emits':{'evt.sim.stock':"
    "    {'type':'object','properties':{'left':{'type':'number'}},'required':['left']}}}}}",

    "{'kind':'contract','uri':'#/sim/pay','type':'com.sim.pay','versions':{'1.0.0':{"
    "  'accepts':{'type':'object','properties':{'amount':{'type':'number'}},'required':['amount']},"
    "  'emits':{'evt.sim.paid':"
    "    {'type':'object','properties':{'amount':{'type':'number'}},'required':['amount']}}}}}",

    /* Workflows: what starts each, and what it gives. */
    "{'kind':'orchestrator-contract','uri':'#/sim/tally','name':'sim.tally','versions':{'1.0.0':{"
    "  'init':{'type':'object','required':['want','total'],"
    "    'properties':{'want':{'type':'integer'},'total':{'type':'integer'}}},"
    "  'complete':{'type':'object','properties':{'sum':{'type':'number'}},'required':['sum']}}}}",

    "{'kind':'orchestrator-contract','uri':'#/sim/order','name':'sim.order','versions':{'1.0.0':{"
    "  'init':{'type':'object','properties':{'item':{'type':'number'}},'required':['item']},"
    "  'complete':{'type':'object','properties':{'paid':{'type':'number'}},'required':['paid']}}}}",

    "{'kind':'orchestrator-contract','uri':'#/sim/quote','name':'sim.quote','versions':{'1.0.0':{"
    "  'init':{'type':'object','properties':{'item':{'type':'number'}},'required':['item']},"
    "  'complete':{'type':'object','properties':{'price':{'type':'number'}},'required':['price']}}}}",

    NULL,
};

const char *const arvo__sim_machines[] = {
    /* Counts what comes in, from two sources that number their events alike. */
    "{'kind':'machine','id':'tally','version':'1.0.0',"
    " 'contracts':{'self':'#/sim/tally','services':{'feed':{'uri':'#/sim/feed','version':'1.0.0'}}},"
    " 'context':{'want':'${ .input.data.want }','total':'${ .input.data.total }','count':0,'sum':0},"
    " 'initial':'open','states':{"
    "  'open':{"
    "   'always':{'guard':'${ .context.count == .context.want }','target':'full'},"
    "   'on':{'evt.sim.add':{'actions':{'type':'assign','params':{"
    "     'count':'${ .context.count + 1 }','sum':'${ .context.sum + .event.data.n }'}}}}},"
    "  'full':{'type':'final'}},"
    " 'output':{'sum':'${ .context.sum }'}}",

    /* Asks for a price and for stock at once, then pays; some items are not to be had, others too
     * dear. */
    "{'kind':'machine','id':'order','version':'1.0.0',"
    " 'contracts':{'self':'#/sim/order','services':{"
    "  'quote':{'uri':'#/sim/quote','version':'1.0.0'},"
    "  'stock':{'uri':'#/sim/stock','version':'1.0.0'},"
    "  'pay':{'uri':'#/sim/pay','version':'1.0.0'}}},"
    " 'context':{'item':'${ .input.data.item }','price':0,'left':0,'paid':0},"
    " 'initial':'asking','states':{"
    "  'asking':{'type':'parallel','onDone':'deciding','states':{"
    "   'price':{'initial':'open','states':{"
    "    'open':{"
    "     'entry':{'type':'emit','params':{'type':'arvo.orc.sim.quote','data':{"
    "       'parentSubject$$':'${ .input.subject }','item':'${ .context.item }'}}},"
    "     'on':{"
    "      'arvo.orc.sim.quote.done':{'target':'known','actions':{'type':'assign','params':{"
    "        'price':'${ .event.data.price }'}}},"
    "      'sys.arvo.orc.sim.quote.error':'known'}},"
    "    'known':{'type':'final'}}},"
    "   'stock':{'initial':'open','states':{"
    "    'open':{"
    "     'entry':{'type':'emit','params':{'type':'com.sim.stock','data':{"
    "       'item':'${ .context.item }'}}},"
    "     'on':{"
    "      'evt.sim.stock':{'target':'known','actions':{'type':'assign','params':{"
    "        'left':'${ .event.data.left }'}}},"
    "      'sys.com.sim.stock.error':'known'}},"
    "    'known':{'type':'final'}}}}},"
    "  'deciding':{'always':["
    "   {'guard':'${ .context.left > 0 and .context.price > 0 }','target':'paying'},"
    "   {'target':'given up'}]},"
    "  'paying':{"
    "   'entry':{'type':'emit','params':{'type':'com.sim.pay','data':{"
    "     'amount':'${ .context.price }'}}},"
    "   'on':{"
    "    'evt.sim.paid':{'target':'paid','actions':{'type':'assign','params':{"
    "      'paid':'${ .context.paid + .event.data.amount }'}}},"
    "    'sys.com.sim.pay.error':'given up'}},"
    "  'paid':{'type':'final'},"
    "  'given up':{'type':'final'}},"
    " 'output':{'paid':'${ .context.paid }'}}",

    /* Two suppliers at once, in whatever order they answer; one of them may fail. */
    "{'kind':'machine','id':'quote','version':'1.0.0',"
    " 'contracts':{'self':'#/sim/quote','services':{"
    "  'north':{'uri':'#/sim/north','version':'1.0.0'},"
    "  'south':{'uri':'#/sim/south','version':'1.0.0'}}},"
    " 'context':{'item':'${ .input.data.item }','north':0,'south':0},"
    " 'initial':'asking','states':{"
    "  'asking':{'type':'parallel','onDone':'done','states':{"
    "   'north':{'initial':'open','states':{"
    "    'open':{"
    "     'entry':{'type':'emit','params':{'type':'com.sim.north','data':{"
    "       'item':'${ .context.item }'}}},"
    "     'on':{"
    "      'evt.sim.north':{'target':'known','actions':{'type':'assign','params':{"
    "        'north':'${ .event.data.price }'}}},"
    "      'sys.com.sim.north.error':'known'}},"
    "    'known':{'type':'final'}}},"
    "   'south':{'initial':'open','states':{"
    "    'open':{"
    "     'entry':{'type':'emit','params':{'type':'com.sim.south','data':{"
    "       'item':'${ .context.item }'}}},"
    "     'on':{"
    "      'evt.sim.south':{'target':'known','actions':{'type':'assign','params':{"
    "        'south':'${ .event.data.price }'}}},"
    "      'sys.com.sim.south.error':'known'}},"
    "    'known':{'type':'final'}}}}},"
    "  'done':{'type':'final'}},"
    " 'output':{'price':'${ .context.north + .context.south }'}}",

    NULL,
};

const char *const arvo__sim_mocks[] = {
    "{'kind':'mock','type':'com.sim.north','replies':["
    "  {'guard':'${ .event.data.item == 3 }','error':{'name':'NotInRange','message':'no'}},"
    "  {'type':'evt.sim.north','data':{'price':'${ .event.data.item * 10 }'}}]}",

    "{'kind':'mock','type':'com.sim.south','replies':["
    "  {'guard':'${ .event.data.item == 5 }','error':{'name':'NotInRange','message':'no'}},"
    "  {'type':'evt.sim.south','data':{'price':'${ .event.data.item * 7 }'}}]}",

    "{'kind':'mock','type':'com.sim.stock','replies':["
    "  {'guard':'${ .event.data.item == 2 }','error':{'name':'OutOfStock','message':'no'}},"
    "  {'type':'evt.sim.stock','data':{'left':'${ .event.data.item }'}}]}",

    "{'kind':'mock','type':'com.sim.pay','replies':["
    "  {'guard':'${ .event.data.amount > 90 }','error':{'name':'Declined','message':'no'}},"
    "  {'type':'evt.sim.paid','data':{'amount':'${ .event.data.amount }'}}]}",

    NULL,
};
