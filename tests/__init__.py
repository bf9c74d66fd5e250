"""Named as a package, since a library of ours (gmqtt) installs a package of this name."""
