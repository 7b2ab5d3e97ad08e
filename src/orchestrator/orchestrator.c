/* orchestrator layer */
extern int arvo__orchestrator_layer_;
