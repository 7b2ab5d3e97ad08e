/* telemetry layer */
extern int arvo__telemetry_layer_;
