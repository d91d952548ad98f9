# Packages of the languages, with the library in them:
#
#     make -C examples-c packages PACKAGES=/tmp/packages
#
#     wheel        Python: pip install PACKAGES/mailru-*.whl
#     npm-package  Node.js: npm install PACKAGES/mailru-*.tgz, which gets koffi besides
#
#     PACKAGES     the folder to put them in; build/packages
#     BUILT        a folder with a libmailru.so; without it cargo builds one. See install.mk

PACKAGES ?= build/packages

packages: wheel npm-package

# Where BUILT is install.mk's own.
wheel npm-package: $(if $(filter file,$(origin BUILT)),library)

wheel:
	@mkdir -p "$(PACKAGES)"
	@MAILRU_LIBRARY="$(abspath $(BUILT))/libmailru.$(EXTENSION)" \
		python3 "$(ROOT)/src/bindings/python/build_wheel.py" "$(PACKAGES)"

# Packed from a copy, so that the library does not lie among the sources.
npm-package:
	@mkdir -p "$(PACKAGES)"
	@rm -rf "$(PACKAGES)/node" && cp -R "$(ROOT)/src/bindings/node" "$(PACKAGES)/node"
	@cp "$(ROOT)/LICENSE" "$(PACKAGES)/node"
	@cp "$(BUILT)/libmailru.$(EXTENSION)" "$(PACKAGES)/node/$(if $(filter Darwin,$(SYSTEM)),libmailru.dylib,$(SHARED_NAME))"
	@cd "$(PACKAGES)" && npm pack --silent ./node && rm -rf node

.PHONY: packages wheel npm-package
