/* event layer */
extern int arvo__event_layer_;
