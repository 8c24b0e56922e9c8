<?xml version="1.0" encoding="UTF-8"?>
<!--
  Transpiles one ISO Schematron (query binding xslt2) into an XSLT 3.0 stylesheet that writes SVRL.
  Three passes: includes are expanded, abstract patterns instantiated, then templates written.
  One mode per pattern: a node fires only the first rule of a pattern that matches it. Abstract
  rules become named templates, because inlining them makes the result ten times larger.
-->
<xsl:stylesheet version="3.0"
    xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
    xmlns:xs="http://www.w3.org/2001/XMLSchema"
    xmlns:sch="http://purl.oclc.org/dsdl/schematron"
    xmlns:svrl="http://purl.oclc.org/dsdl/svrl"
    xmlns:f="urn:ris:schematron"
    xmlns:out="urn:ris:schematron:output"
    exclude-result-prefixes="sch f">

  <xsl:namespace-alias stylesheet-prefix="out" result-prefix="xsl"/>
  <xsl:output method="xml" indent="no"/>
  <xsl:key name="abstract-pattern" match="sch:pattern[@abstract = 'true']" use="@id"/>
  <xsl:key name="abstract-rule" match="sch:rule[@abstract = 'true']" use="@id"/>

  <xsl:template match="/">
    <xsl:variable name="whole" as="document-node()">
      <xsl:document><xsl:apply-templates select="sch:schema" mode="expand"/></xsl:document>
    </xsl:variable>
    <xsl:variable name="concrete" as="document-node()">
      <xsl:document><xsl:apply-templates select="$whole" mode="instantiate"/></xsl:document>
    </xsl:variable>
    <xsl:apply-templates select="$concrete/sch:schema" mode="write">
      <xsl:with-param name="base" select="base-uri(/)"/>
    </xsl:apply-templates>
  </xsl:template>

  <!-- First pass: includes. -->
  <xsl:mode name="expand" on-no-match="shallow-copy"/>
  <xsl:template match="comment() | processing-instruction()" mode="expand"/>
  <xsl:template match="sch:include" mode="expand">
    <xsl:apply-templates select="document(@href, .)/*" mode="expand"/>
  </xsl:template>

  <!-- Second pass: abstract patterns. -->
  <xsl:mode name="instantiate" on-no-match="shallow-copy"/>
  <xsl:mode name="bind" on-no-match="shallow-copy"/>
  <xsl:template match="sch:pattern[@abstract = 'true']" mode="instantiate"/>
  <xsl:template match="sch:pattern[@is-a]" mode="instantiate">
    <xsl:variable name="model" select="key('abstract-pattern', @is-a)"/>
    <xsl:if test="empty($model)">
      <xsl:message terminate="yes">Abstract pattern <xsl:value-of select="@is-a"/> not found</xsl:message>
    </xsl:if>
    <xsl:copy>
      <xsl:copy-of select="@id"/>
      <xsl:apply-templates select="$model[1]/node()" mode="bind">
        <xsl:with-param name="params" select="sort(sch:param, (), function($p) { -string-length($p/@name) })" tunnel="yes"/>
      </xsl:apply-templates>
    </xsl:copy>
  </xsl:template>
  <xsl:template match="@*" mode="bind">
    <xsl:param name="params" as="element(sch:param)*" tunnel="yes"/>
    <xsl:attribute name="{name()}" select="f:bound(., $params)"/>
  </xsl:template>
  <xsl:function name="f:bound" as="xs:string">
    <xsl:param name="text" as="xs:string"/>
    <xsl:param name="params" as="element(sch:param)*"/>
    <xsl:sequence select="
      fold-left($params, $text, function($so-far, $param) {
        replace($so-far, '$' || $param/@name, $param/@value, 'q') })"/>
  </xsl:function>

  <!-- Third pass: the stylesheet. -->
  <xsl:template match="sch:schema" mode="write">
    <xsl:param name="base"/>
    <xsl:variable name="phase" select="sch:phase[@id = current()/@defaultPhase]"/>
    <xsl:variable name="patterns" select="
      sch:pattern[empty($phase) or @id = $phase/sch:active/@pattern][sch:rule[not(@abstract = 'true')]]"/>
    <out:stylesheet version="3.0" exclude-result-prefixes="#all">
      <xsl:attribute name="xml:base" select="$base"/>
      <xsl:for-each-group select="sch:ns[@prefix ne 'xml']" group-by="@prefix">
        <xsl:namespace name="{@prefix}" select="string(@uri)"/>
      </xsl:for-each-group>
      <xsl:for-each-group select="sch:let | sch:pattern/sch:let" group-by="@name">
        <out:variable name="{@name}" select="{@value}"/>
      </xsl:for-each-group>
      <out:template match="/">
        <svrl:schematron-output>
          <xsl:for-each select="$patterns">
            <out:apply-templates select="/" mode="{f:mode(.)}"/>
          </xsl:for-each>
        </svrl:schematron-output>
      </out:template>
      <xsl:apply-templates select="$patterns" mode="write"/>
      <xsl:variable name="called" select="f:extended($patterns/sch:rule, ())"/>
      <xsl:for-each select="$called">
        <out:template name="{f:name(.)}">
          <out:param name="pattern"/>
          <xsl:apply-templates mode="write"/>
        </out:template>
      </xsl:for-each>
    </out:stylesheet>
  </xsl:template>

  <xsl:template match="sch:pattern" mode="write">
    <xsl:variable name="mode" select="f:mode(.)"/>
    <out:mode name="{$mode}" on-no-match="shallow-skip"/>
    <xsl:for-each select="sch:rule[not(@abstract = 'true')]">
      <out:template match="{@context}" mode="{$mode}" priority="{100000 - position()}">
        <out:variable name="pattern" select="'{../@id}'"/>
        <xsl:apply-templates mode="write"/>
        <out:apply-templates select="node()" mode="{$mode}"/>
      </out:template>
    </xsl:for-each>
  </xsl:template>

  <xsl:template match="text() | sch:*" mode="write"/>
  <xsl:template match="sch:let" mode="write">
    <out:variable name="{@name}" select="{@value}"/>
  </xsl:template>
  <xsl:template match="sch:extends" mode="write">
    <xsl:for-each select="key('abstract-rule', @rule)[1]">
      <out:call-template name="{f:name(.)}">
        <out:with-param name="pattern" select="$pattern"/>
      </out:call-template>
    </xsl:for-each>
  </xsl:template>
  <xsl:template match="sch:assert" mode="write">
    <out:if test="not({@test})"><xsl:sequence select="f:finding(., 'failed-assert')"/></out:if>
  </xsl:template>
  <xsl:template match="sch:report" mode="write">
    <out:if test="{@test}"><xsl:sequence select="f:finding(., 'successful-report')"/></out:if>
  </xsl:template>

  <xsl:function name="f:finding" as="element()">
    <xsl:param name="test" as="element()"/>
    <xsl:param name="kind" as="xs:string"/>
    <xsl:element name="svrl:{$kind}">
      <out:attribute name="role"><out:text><xsl:value-of select="$test/@role"/></out:text></out:attribute>
      <out:attribute name="pattern" select="$pattern"/>
      <out:attribute name="test"><out:text><xsl:value-of select="$test/@test"/></out:text></out:attribute>
      <out:attribute name="location" select="path(.)"/>
      <svrl:text><xsl:apply-templates select="$test/node()" mode="message"/></svrl:text>
    </xsl:element>
  </xsl:function>

  <xsl:template match="text()" mode="message"><out:text><xsl:value-of select="."/></out:text></xsl:template>
  <xsl:template match="sch:value-of" mode="message"><out:value-of select="{@select}"/></xsl:template>
  <xsl:template match="sch:name" mode="message"><out:value-of select="name({(@path, '.')[1]})"/></xsl:template>

  <xsl:function name="f:mode" as="xs:string">
    <xsl:param name="pattern" as="element(sch:pattern)"/>
    <xsl:sequence select="'m' || count($pattern/preceding-sibling::sch:pattern)"/>
  </xsl:function>
  <xsl:function name="f:name" as="xs:string">
    <xsl:param name="rule" as="element(sch:rule)"/>
    <xsl:sequence select="'r-' || replace($rule/@id, '[^A-Za-z0-9_]', '_')"/>
  </xsl:function>
  <!-- Every abstract rule that some rule reaches, each once. -->
  <xsl:function name="f:extended" as="element(sch:rule)*">
    <xsl:param name="rules" as="element(sch:rule)*"/>
    <xsl:param name="known" as="element(sch:rule)*"/>
    <xsl:variable name="next" select="$rules/sch:extends/key('abstract-rule', @rule)[1] except $known"/>
    <xsl:sequence select="if (empty($next)) then $known else f:extended($next, $known | $next)"/>
  </xsl:function>
</xsl:stylesheet>
