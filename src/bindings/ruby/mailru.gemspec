# frozen_string_literal: true

Gem::Specification.new do |spec|
  spec.name = "mailru"
  spec.version = "0.1.0"
  spec.summary = "The Mail.ru platform's REST API through libmailru"
  spec.authors = ["The libmailru authors"]
  spec.license = "MIT"
  spec.files = Dir.glob("lib/**/*.rb", base: __dir__)
  spec.required_ruby_version = ">= 3.0"
  spec.add_dependency "ffi", "~> 1.15"
end
