/* contract layer */
extern int arvo__contract_layer_;
