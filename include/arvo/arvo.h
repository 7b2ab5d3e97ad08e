/* arvo/arvo.h - all of libarvo. */
#ifndef ARVO_ARVO_H
#define ARVO_ARVO_H

#include <arvo/app.h>
#include <arvo/base.h>
#include <arvo/broker.h>
#include <arvo/check.h>
#include <arvo/contract.h>
#include <arvo/diagram.h>
#include <arvo/diff.h>
#include <arvo/document.h>
#include <arvo/event.h>
#include <arvo/example.h>
#include <arvo/json.h>
#include <arvo/log.h>
#include <arvo/machine.h>
#include <arvo/memory.h>
#include <arvo/metrics.h>
#include <arvo/orchestrator.h>
#include <arvo/otlp.h>
#include <arvo/paths.h>
#include <arvo/platform.h>
#include <arvo/sim.h>
#include <arvo/store_metrics.h>
#include <arvo/subject.h>
#include <arvo/telemetry.h>
#include <arvo/transfer.h>
#include <arvo/uri.h>
#include <arvo/worker.h>
#include <arvo/xstate.h>

#endif
